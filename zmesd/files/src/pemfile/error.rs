//! Why a file gives no certificate or no key, each as a sentence and with the command that helps.

use std::error::Error;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use rustls_pki_types::pem::Error as ParseError;

use super::PemPart;
use super::content::{FileContent, recognize};
use crate::{FileError, user_name};

/// Why a file gives no certificate or no key. No message quotes the file: it may hold a key.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The file cannot be read.
    #[error("cannot read {path} as user `{user}`")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// As whom.
        user: String,
        /// Why.
        #[source]
        source: FileError,
    },
    /// It holds something else.
    #[error("{path} holds no {} in PEM form: {found}", thing(*.wanted))]
    Holds {
        /// Which file.
        path: PathBuf,
        /// What it was read for.
        wanted: PemPart,
        /// What it holds.
        found: FileContent,
    },
    /// The key is protected by a passphrase.
    #[error("the private key in {path} is encrypted")]
    Encrypted {
        /// Which file.
        path: PathBuf,
    },
    /// The PEM form is damaged.
    #[error("{path} is not valid PEM: {detail}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: &'static str,
    },
    /// A certificate cannot be parsed.
    #[error("certificate {position} in {path} cannot be read: {detail}")]
    BadCertificate {
        /// Which file.
        path: PathBuf,
        /// Which certificate in it, from 1.
        position: usize,
        /// What is wrong.
        detail: String,
    },
}

fn thing(wanted: PemPart) -> &'static str {
    match wanted {
        PemPart::Certificate => "certificate",
        PemPart::Key => "private key",
    }
}

impl PemError {
    pub(super) fn unreadable(path: &Path, source: FileError) -> Self {
        Self::Unreadable { path: path.to_owned(), user: user_name(Uid::effective()), source }
    }

    pub(super) fn other(path: &Path, wanted: PemPart, content: &[u8]) -> Self {
        Self::Holds { path: path.to_owned(), wanted, found: recognize(content) }
    }

    /// The parser's own words may quote a line of the file, which may be a key.
    pub(super) fn damaged(path: &Path, error: &ParseError) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
        let detail = match error {
            ParseError::MissingSectionEnd { .. } => "an END line is missing",
            ParseError::IllegalSectionStart { .. } => "a BEGIN line is damaged",
            ParseError::Base64Decode(_) => "what is between BEGIN and END is damaged",
            _ => "it cannot be read",
        };
        Self::Damaged { path: path.to_owned(), detail }
    }

    /// Returns the sentence with its cause.
    pub fn told(&self) -> String {
        self.source().map_or_else(|| self.to_string(), |source| format!("{self}: {source}"))
    }

    /// Returns what to do about it, with the command that converts.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { path, user, source } => unreadable_hint(path, user, source),
            Self::Holds { path, wanted, found } => conversion(path, *wanted, *found),
            Self::Encrypted { path } => format!(
                "`openssl pkey -in {} -out key.pem` removes the passphrase; protect the file by its mode instead",
                path.display()
            ),
            Self::Damaged { .. } | Self::BadCertificate { .. } => {
                "the file is damaged, perhaps cut off or pasted with blanks: copy it again".to_owned()
            }
        }
    }
}

fn unreadable_hint(path: &Path, user: &str, source: &FileError) -> String {
    let path = path.display();
    match source {
        FileError::Denied => format!(
            "`setfacl -m u:{user}:r {path}` (and `x` on the directories above it), or LoadCredential= in the service"
        ),
        FileError::Missing => format!("{path} does not exist: name the right file"),
        FileError::Irregular => format!("name the file itself: `ls -ld {path}` shows what is there"),
        FileError::TooLarge(_) => format!("it is far larger than any certificate: is {path} the right file?"),
        FileError::Other(_) => format!("look at {path}"),
    }
}

/// Returns the way from what a file holds to what is wanted.
fn conversion(path: &Path, wanted: PemPart, found: FileContent) -> String {
    let file = path.display();
    let out = match wanted {
        PemPart::Certificate => "cert.pem",
        PemPart::Key => "key.pem",
    };
    match found {
        FileContent::Key | FileContent::EncryptedKey => {
            "name the certificate here: are certificate and key swapped?".to_owned()
        }
        FileContent::Certificate => "name the key here: are certificate and key swapped?".to_owned(),
        FileContent::Pkcs12 => {
            let part = if wanted == PemPart::Key { "-nocerts -nodes" } else { "-nokeys" };
            format!(
                "`openssl pkcs12 -in {file} {part} -out {out}` takes it out (with -legacy where OpenSSL 3 refuses it)"
            )
        }
        FileContent::Pkcs7Pem => {
            format!("`openssl pkcs7 -print_certs -in {file} -out cert.pem` converts it{}", no_key(wanted))
        }
        FileContent::Pkcs7Der => format!(
            "`openssl pkcs7 -inform DER -print_certs -in {file} -out cert.pem` converts it{}",
            no_key(wanted)
        ),
        FileContent::OpenSshKey => {
            format!("`ssh-keygen -p -m PEM -N '' -f {file}` converts a key{}", no_certificate(wanted))
        }
        FileContent::PuttyKey => {
            format!(
                "`puttygen {file} -O private-openssh -o key.pem` converts a key{}",
                no_certificate(wanted)
            )
        }
        FileContent::PublicKey => {
            "a public key is not enough: name the file that was made together with it".to_owned()
        }
        FileContent::Request => format!(
            "a request has to be signed first, by your authority or by its own key: `openssl x509 -req -in {file} \
             -signkey key.pem -days 825 -copy_extensions copy -out cert.pem`"
        ),
        FileContent::Parameters => format!("the {} is in another file: name that", thing(wanted)),
        FileContent::RevocationList => format!("name the file of the {} itself", thing(wanted)),
        FileContent::JavaKeystore => format!(
            "`keytool -importkeystore -srckeystore {file} -destkeystore store.p12 -deststoretype PKCS12`, then \
             `openssl pkcs12 -in store.p12 -nodes -out {out}`"
        ),
        FileContent::Utf16 => format!("`iconv -f UTF-16 -t UTF-8 {file} > {out}` converts it"),
        FileContent::WebPage => {
            "it was downloaded wrongly: the server answered with a page; download it again".to_owned()
        }
        FileContent::Empty | FileContent::Json | FileContent::Text | FileContent::Binary => format!(
            "a {} in PEM form begins with `-----BEGIN {}-----`; `openssl {} -in FILE -out {out}` writes one",
            thing(wanted),
            if wanted == PemPart::Key { "PRIVATE KEY" } else { "CERTIFICATE" },
            if wanted == PemPart::Key { "pkey" } else { "x509" },
        ),
    }
}

fn no_key(wanted: PemPart) -> &'static str {
    if wanted == PemPart::Key { "; it never holds a key: name the key's own file" } else { "" }
}

fn no_certificate(wanted: PemPart) -> &'static str {
    if wanted == PemPart::Certificate { "; a certificate is another file" } else { "" }
}
