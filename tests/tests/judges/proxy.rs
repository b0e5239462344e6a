//! The proxies, configured as docs/behind-a-proxy.md shows.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use zmes_tests::{Process, World, installed, repository};

const HAPROXY: &str = "/usr/sbin/haproxy";
const NGINX: &str = "/usr/sbin/nginx";
/// A module of its own at Debian; where it is not there, it is built in.
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// A proxy and how it is set up.
pub(crate) enum Proxy {
    HaproxyV1,
    HaproxyV2,
    HaproxyTls,
    NginxStream,
    NginxTls,
}

/// A proxy at work.
pub(crate) struct Running {
    process: Process,
    command: Vec<String>,
    log: PathBuf,
    port: u16,
}

impl Proxy {
    /// Says whether the daemon behind it speaks plain text.
    pub(crate) fn ends_tls(&self) -> bool {
        matches!(self, Self::HaproxyTls | Self::NginxTls)
    }

    /// Starts it in front of the daemon at `backend`; `None`, with a message, if the program is missing.
    pub(crate) fn start(&self, world: &World, backend: u16) -> Result<Option<Running>> {
        let program = match self {
            Self::HaproxyV1 | Self::HaproxyV2 | Self::HaproxyTls => HAPROXY,
            Self::NginxStream | Self::NginxTls => NGINX,
        };
        if !installed(program)? {
            return Ok(None);
        }
        let port = free_port()?;
        let file = world.path("proxy.conf");
        fs::write(&file, self.configuration(world, port, backend)?)?;
        let file = file.to_string_lossy().into_owned();
        let command = if program == HAPROXY {
            vec![program.to_owned(), "-db".to_owned(), "-f".to_owned(), file]
        } else {
            let prefix = world.directory().to_string_lossy().into_owned();
            vec![program.to_owned(), "-p".to_owned(), prefix, "-c".to_owned(), file]
        };
        let log = world.path("proxy.log");
        Ok(Some(Running { process: spawn(&command, &log)?, command, log, port }))
    }

    fn configuration(&self, world: &World, port: u16, backend: u16) -> Result<String> {
        let (bind, listen) = (format!("bind 127.0.0.1:{port}"), format!("listen 127.0.0.1:{port}"));
        let upstream = format!("127.0.0.1:{backend}");
        let certificate = world.certificate.certificate.to_string_lossy().into_owned();
        let key = world.certificate.key.to_string_lossy().into_owned();
        match self {
            Self::HaproxyV1 => {
                let changes = [
                    ("bind :9000", bind.as_str()),
                    ("192.0.2.10:9000", &upstream),
                    ("send-proxy-v2\n", "send-proxy\n"),
                ];
                example("haproxy-pass-through.cfg", &changes)
            }
            Self::HaproxyV2 => {
                let changes = [("bind :9000", bind.as_str()), ("192.0.2.10:9000", &upstream)];
                example("haproxy-pass-through.cfg", &changes)
            }
            Self::HaproxyTls => {
                let both = world.path("both.pem");
                fs::write(&both, fs::read_to_string(&certificate)? + &fs::read_to_string(&key)?)?;
                let changes = [
                    ("bind :9000", bind.as_str()),
                    ("/etc/haproxy/zm.example.org.pem", &both.to_string_lossy()),
                    ("server zm 127.0.0.1:9001", &format!("server zm {upstream}")),
                ];
                example("haproxy-tls.cfg", &changes)
            }
            Self::NginxStream => {
                let changes = [("listen 9000", listen.as_str()), ("192.0.2.10:9000", &upstream)];
                let module = if Path::new(NGINX_STREAM).exists() {
                    format!("load_module {NGINX_STREAM};\n")
                } else {
                    String::new()
                };
                Ok(nginx(&module, "stream", "", &example("nginx-stream.conf", &changes)?))
            }
            Self::NginxTls => {
                let changes = [
                    ("listen 9000", listen.as_str()),
                    ("/etc/ssl/zm.example.org/fullchain.pem", &certificate),
                    ("/etc/ssl/zm.example.org/privkey.pem", &key),
                    ("http://127.0.0.1:9001", &format!("http://{upstream}")),
                ];
                let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|kind| format!("{kind}_temp_path {kind}_temp;\n"))
                    .concat();
                Ok(nginx(
                    "",
                    "http",
                    &format!("access_log off;\n{places}"),
                    &example("nginx-tls.conf", &changes)?,
                ))
            }
        }
    }
}

impl Running {
    /// Returns where clients connect.
    pub(crate) fn url(&self) -> String {
        format!("wss://127.0.0.1:{}/", self.port)
    }

    /// Ends it, and starts it again.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.process.end(Signal::SIGTERM).await?;
        self.process = spawn(&self.command, &self.log)?;
        Ok(())
    }
}

fn spawn(command: &[String], log: &Path) -> Result<Process> {
    let (program, arguments) =
        command.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    Process::spawn(program, Process::command(program).args(arguments), log)
}

/// Returns a configuration of docs/examples with other ports and files; each text that is changed must be there.
fn example(name: &str, changes: &[(&str, &str)]) -> Result<String> {
    let mut text = fs::read_to_string(repository()?.join("docs/examples").join(name))?;
    for (from, to) in changes {
        ensure!(text.contains(from), "{name} has no `{from}`");
        text = text.replace(from, to);
    }
    Ok(text)
}

/// Returns a whole nginx.conf around a part of it. One process, so that it can be ended by its id.
fn nginx(module: &str, section: &str, settings: &str, part: &str) -> String {
    format!(
        "{module}daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\nevents {{}}\n\
         {section} {{\n{settings}{part}}}\n"
    )
}

/// Returns a port that is free at this moment.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
