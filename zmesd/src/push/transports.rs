//! Which transport takes which token. Pure: it looks at names and tokens alone.

use std::sync::Arc;

use crate::domain::{App, Platform, Token};
use crate::ports::PushTransport;

/// The name of the PushProxy's transport, which takes every token.
const PROXY: &str = "proxy";
/// The name of the transport to APNs itself.
const APNS: &str = "apns";
/// The name of FCM's HTTP v1 with a service account.
const FCM: &str = "fcm";
/// How the names of function proxies begin; the app's name follows.
const FUNCTION: &str = "fcm:";

/// The transports that are configured.
#[derive(Debug, Clone, Default)]
pub struct Transports {
    all: Vec<Arc<dyn PushTransport>>,
}

impl Transports {
    /// Takes the transports, function proxies in the order of the configuration.
    pub fn new(all: Vec<Arc<dyn PushTransport>>) -> Self {
        Self { all }
    }

    /// Returns all of them.
    pub fn all(&self) -> &[Arc<dyn PushTransport>] {
        &self.all
    }

    /// Returns the ways to a phone, the best first; `remembered` is the transport that has proved to be the token's.
    pub fn candidates(&self, token: &Token, remembered: Option<&str>) -> Vec<Arc<dyn PushTransport>> {
        self.ways(token, remembered).into_iter().filter_map(|way| self.all.get(way).cloned()).collect()
    }

    /// Returns the number of the best way to a phone; how many there are, if no transport takes it.
    pub(super) fn gate_of(&self, token: &Token, remembered: Option<&str>) -> usize {
        self.ways(token, remembered).first().copied().unwrap_or(self.all.len())
    }

    fn ways(&self, token: &Token, remembered: Option<&str>) -> Vec<usize> {
        let named = |wanted: &str| self.all.iter().position(|transport| transport.name() == wanted);
        if let Some(proxy) = named(PROXY) {
            return vec![proxy];
        }
        let apns = named(APNS).filter(|_| token.platform == Platform::Ios && token.token.is_apns());
        if let Some(only) = apns.or_else(|| named(FCM)) {
            return vec![only];
        }
        let mut functions: Vec<(u8, usize)> = Vec::new();
        for (way, transport) in self.all.iter().enumerate() {
            let Some(app) = transport.name().strip_prefix(FUNCTION) else { continue };
            let rank = if remembered == Some(transport.name()) {
                0
            } else if serves(app, token.app) {
                1
            } else {
                2
            };
            functions.push((rank, way));
        }
        functions.sort_unstable();
        functions.into_iter().map(|(_, way)| way).collect()
    }
}

/// Says whether a function proxy of that name is an app's own.
fn serves(name: &str, app: App) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    !app.as_str().is_empty() && name.eq_ignore_ascii_case(app.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::fakes::{FakeTransport, token};

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn transports(names: &[&str]) -> Transports {
        Transports::new(names.iter().map(|name| FakeTransport::new(name) as Arc<dyn PushTransport>).collect())
    }

    fn names(transports: &Transports, token: &Token, remembered: Option<&str>) -> Vec<String> {
        let ways = transports.candidates(token, remembered);
        ways.iter().map(|transport| transport.name().to_owned()).collect()
    }

    #[test]
    fn the_push_proxy_takes_every_token() {
        let all = transports(&["proxy", "fcm", "fcm:zmninja", "apns"]);
        assert_eq!(names(&all, &token(1, HEX, Platform::Ios), None), ["proxy"]);
        assert_eq!(names(&all, &token(1, "abc", Platform::Android), None), ["proxy"]);
    }

    #[test]
    fn apns_takes_its_own_tokens_and_fcm_the_rest() {
        let all = transports(&["fcm", "fcm:zmninja", "apns"]);
        assert_eq!(names(&all, &token(1, HEX, Platform::Ios), None), ["apns"]);
        assert_eq!(names(&all, &token(1, "cXyz:APA91", Platform::Ios), None), ["fcm"]);
        assert_eq!(names(&all, &token(1, HEX, Platform::Android), None), ["fcm"]);
        let alone = transports(&["apns"]);
        assert_eq!(names(&alone, &token(1, "abc", Platform::Android), None), Vec::<String>::new());
        assert_eq!(alone.gate_of(&token(1, "abc", Platform::Android), None), 1, "beyond all gates");
    }

    #[test]
    fn a_function_proxy_is_chosen_by_what_worked_then_by_the_app_then_by_order() {
        let all = transports(&["fcm:other", "fcm:zmninja", "fcm:zmninja-ng"]);
        let mut token = token(1, "abc", Platform::Android);
        assert_eq!(names(&all, &token, None), ["fcm:other", "fcm:zmninja", "fcm:zmninja-ng"]);
        token.app = App::ZmNinjaNg;
        assert_eq!(names(&all, &token, None), ["fcm:zmninja-ng", "fcm:other", "fcm:zmninja"]);
        assert_eq!(names(&all, &token, Some("fcm:zmninja"))[0], "fcm:zmninja");
        assert_eq!(
            names(&all, &token, Some("fcm:gone"))[0],
            "fcm:zmninja-ng",
            "it may not be there any more"
        );
    }
}
