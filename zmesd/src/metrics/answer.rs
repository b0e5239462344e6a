//! One request: which page, and its answer.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::exposition::{self, Format};
use super::gauges::{self, CensusCache};
use super::{Parts, health, readiness};

const PLAIN: &str = "text/plain; charset=utf-8";
const PAGES: &str = "zmesd serves /metrics, /healthz and /readyz here\n";

pub(super) async fn answer<B>(
    request: &Request<B>,
    parts: &Parts,
    asked: &CensusCache,
) -> Response<Full<Bytes>> {
    // hyper leaves out the body of an answer to HEAD.
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = page(StatusCode::METHOD_NOT_ALLOWED, PLAIN, PAGES.to_owned());
        set(&mut refused, ALLOW, "GET, HEAD");
        return refused;
    }
    match request.uri().path() {
        "/metrics" => metrics(request, parts, asked).await,
        "/healthz" => {
            let router = asked.census(parts).await.is_some();
            verdict(health::report(&health::loops(parts, router)))
        }
        "/readyz" => verdict(readiness::report(&readiness::parts(parts))),
        "/" => page(StatusCode::OK, PLAIN, PAGES.to_owned()),
        _ => page(StatusCode::NOT_FOUND, PLAIN, PAGES.to_owned()),
    }
}

async fn metrics<B>(request: &Request<B>, parts: &Parts, asked: &CensusCache) -> Response<Full<Bytes>> {
    let accept = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::wanted(&accept.collect::<Vec<_>>().join(","));
    let gauges = gauges::read(parts, asked).await;
    match exposition::text(&parts.counters, gauges, exposition::cluster(&parts.cluster_status()), format) {
        Ok(text) => page(StatusCode::OK, format.content_type(), text),
        Err(_) => page(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, "cannot write the metrics\n".to_owned()),
    }
}

fn verdict((good, text): (bool, String)) -> Response<Full<Bytes>> {
    page(if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, PLAIN, text)
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, kind);
    set(&mut response, CACHE_CONTROL, "no-store");
    response
}

fn set(response: &mut Response<Full<Bytes>>, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}
