//! A client as a daemon might be one: its own roots, perhaps a certificate, HTTP/2 or HTTP/1.1.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use zmes_tests::standin::Identity;
use zmes_tests::within;

/// Returns a client that repeats nothing by itself, not even refused streams.
pub(crate) fn client(ca: &Path) -> Result<Client> {
    Ok(builder(ca, None, &[b"h2", b"http/1.1"])?.retry(reqwest::retry::never()).build()?)
}

/// Returns one that shows a certificate.
pub(crate) fn client_with(ca: &Path, identity: &Identity) -> Result<Client> {
    Ok(builder(ca, Some(identity), &[b"h2"])?.build()?)
}

/// Returns one that speaks HTTP/1.1 alone.
pub(crate) fn old_client(ca: &Path) -> Result<Client> {
    Ok(builder(ca, None, &[b"http/1.1"])?.build()?)
}

pub(crate) fn builder(ca: &Path, identity: Option<&Identity>, alpn: &[&[u8]]) -> Result<ClientBuilder> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let chain = vec![CertificateDer::from_pem_file(&identity.certificate)?];
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&identity.key)?)?
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Client::builder().tls_backend_preconfigured(config).no_proxy())
}

/// Sends, within the deadline.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response> {
    Ok(within("an answer", request.send()).await??)
}

/// Sends; returns status and body.
pub(crate) async fn answer(request: RequestBuilder) -> Result<(u16, Value)> {
    let response = send(request).await?;
    let status = response.status().as_u16();
    let text = within("the body", response.text()).await??;
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))?
    };
    Ok((status, body))
}

/// Returns HTTP/2's own word for why a request failed.
pub(crate) fn h2_reason(error: &reqwest::Error) -> Option<h2::Reason> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if let Some(found) = found.downcast_ref::<h2::Error>() {
            return found.reason();
        }
        cause = found.source();
    }
    None
}
