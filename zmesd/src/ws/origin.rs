//! Which web pages may connect.
//!
//! A browser names in `Origin` the page that opens the connection, and no page can change that. Some native libraries
//! send it, too, and name the server itself: `SocketRocket` (zmNinja on iOS), Python's `websocket-client`. So a page
//! with this server's own name is allowed: `host[:port]` of `Origin` equals that of `Host`, whatever the scheme.
//!
//! This protects against a page of another site, open in a browser that can reach this server. It does not stop DNS
//! rebinding: a page whose own name is made to point here sends equal `Origin` and `Host`. TLS stops that (no
//! certificate for that name), and so does authentication: credentials are part of the protocol, never in cookies, so
//! that page has none. This check is only a second line of defence.

use super::authority::HostAuthority;

/// Origins of apps that are web pages inside: the shells of zmNinja (Cordova) and zmNinjaNg (Capacitor, Tauri).
/// No page on the web can have one of these.
const APP_SHELLS: [&str; 8] = [
    "file://",
    "http://localhost",
    "https://localhost",
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "http://tauri.localhost",
    "https://tauri.localhost",
];
/// Schemes in an origin that names this server: browsers send `http` or `https`, some libraries the URL's own scheme.
const SCHEMES: [&str; 4] = ["https", "http", "wss", "ws"];

/// Returns whether a page of this origin may connect. `allowed` is in lower case; `own` is how the client names us.
pub(super) fn is_allowed(origin: &str, allowed: &[String], own: &[HostAuthority]) -> bool {
    let origin = origin.trim().trim_end_matches('/').to_ascii_lowercase();
    let same = |listed: &str| listed.trim_end_matches('/') == origin;
    APP_SHELLS.into_iter().any(same) || allowed.iter().any(|listed| same(listed)) || is_own(&origin, own)
}

fn is_own(origin: &str, own: &[HostAuthority]) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    SCHEMES.contains(&scheme) && HostAuthority::parse(authority).is_some_and(|page| own.contains(&page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_pages_and_app_shells_are_allowed() {
        let allowed = ["https://zm.example.org".to_owned()];
        assert!(is_allowed("https://zm.example.org", &allowed, &[]));
        assert!(is_allowed("HTTPS://ZM.Example.org/", &allowed, &[]));
        assert!(is_allowed("capacitor://localhost", &[], &[]));
        assert!(is_allowed("file://", &[], &[]));
        for stranger in
            ["https://evil.example", "http://zm.example.org", "https://zm.example.org.evil", "null", ""]
        {
            assert!(!is_allowed(stranger, &allowed, &[]), "{stranger}");
        }
    }

    #[test]
    fn an_origin_that_is_the_host_is_allowed() {
        for (who, host, origin) in [
            ("SocketRocket", "zm.example.org:9000", "https://zm.example.org:9000"),
            ("SocketRocket, default port", "zm.example.org:443", "https://zm.example.org"),
            ("SocketRocket, IPv6", "[2001:db8::9]:9000", "https://[2001:db8::9]:9000"),
            ("SocketRocket, IPv6, default port", "2001:db8::9", "https://[2001:db8::9]"),
            ("websocket-client 1.2 over TLS", "zm.example.org:9000", "http://zm.example.org:9000"),
            ("websocket-client 1.2 on 443", "zm.example.org", "http://zm.example.org"),
            ("websocket-client 0.5x on 443", "zm.example.org:443", "http://zm.example.org:443"),
            ("websocket-client 1.3 and later", "192.0.2.5:9000", "https://192.0.2.5:9000"),
            ("websocket-client, IPv6", "[2001:db8::9]:9000", "http://[2001:db8::9]:9000"),
            ("a browser", "zm.lan:9000", "https://zm.lan:9000"),
            ("a browser, plain", "zm.lan", "http://zm.lan"),
            ("a URL in capitals", "ZM.LAN:9000", "https://zm.lan:9000"),
            ("a fully qualified name", "zm.example.org.:9000", "https://zm.example.org:9000"),
            ("the URL's own scheme", "zm.lan:9000", "wss://zm.lan:9000"),
        ] {
            assert!(
                is_allowed(origin, &[], &[HostAuthority::parse(host).unwrap()]),
                "{who}: {host} {origin}"
            );
        }
    }

    #[test]
    fn an_origin_that_is_not_the_host_is_refused() {
        for (host, origin) in [
            ("zm.example.org:9000", "https://evil.example:9000"),
            ("zm.example.org:9000", "https://zm.example.org:9001"),
            ("zm.example.org:9000", "https://zm.example.org"),
            ("zm.example.org", "https://zm.example.org:9000"),
            ("zm.example.org", "https://zm.example.org.evil.example"),
            ("zm.example.org", "https://evil.example/zm.example.org"),
            ("zm.example.org", "https://evil.example#zm.example.org"),
            ("zm.example.org", "https://user@zm.example.org"),
            ("zm.example.org", "https://zm.example.org, https://evil.example"),
            ("zm.example.org", "ftp://zm.example.org"),
            ("zm.example.org", "zm.example.org"),
            ("zm.example.org", "//zm.example.org"),
            ("null", "null"),
            ("null", "https://"),
            ("[::1]:9000", "https://[::2]:9000"),
        ] {
            assert!(!is_allowed(origin, &[], &[HostAuthority::parse(host).unwrap()]), "{host} {origin}");
        }
    }
}
