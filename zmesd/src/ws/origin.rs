//! Which web pages may connect.
//!
//! A browser says in `Origin` which page opens the connection; programs say nothing. Credentials travel inside the
//! protocol, never in cookies, so the rule is a second lock, not the first.

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

/// Says whether a page of this origin may connect. `allowed` is in lower case.
pub(super) fn welcome(origin: &str, allowed: &[String]) -> bool {
    let origin = origin.trim().trim_end_matches('/').to_ascii_lowercase();
    let same = |listed: &str| listed.trim_end_matches('/') == origin;
    APP_SHELLS.into_iter().any(same) || allowed.iter().any(|listed| same(listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_pages_and_app_shells_are_welcome() {
        let allowed = ["https://zm.example.org".to_owned()];
        assert!(welcome("https://zm.example.org", &allowed));
        assert!(welcome("HTTPS://ZM.Example.org/", &allowed));
        assert!(welcome("capacitor://localhost", &[]));
        assert!(welcome("file://", &[]));
        for stranger in
            ["https://evil.example", "http://zm.example.org", "https://zm.example.org.evil", "null", ""]
        {
            assert!(!welcome(stranger, &allowed), "{stranger}");
        }
    }
}
