//! Settings of push providers: PushProxy and APNs of scripts, FCM of files.

use super::collection::{Generation, ResolvedValue};
use super::draft::NewValue;
use super::names::SCRIPT;
use super::report::Fate;
use super::takeover::{OldValue, Takeover};

/// Hosts of zmNinja's public PushProxy, which no longer exists.
const PUBLIC_PROXIES: [&str; 2] = ["185.124.74.36", "pliablepixels.ddns.net"];
/// The cloud functions that the old servers used by default.
const FUNCTION_OF_6: &str = "https://us-central1-zoneminder-ninja.cloudfunctions.net/send_push";
const FUNCTION_OF_7: &str = "https://us-central1-zmng-b7af6.cloudfunctions.net/send_push";
/// A part of the URL of a function, and the app that it sends for, as `push.fcm.proxy` names it.
const APPS: [(&str, &str); 3] =
    [("zoneminder-ninja", "zmninja"), ("ninja-1105", "zmninja"), ("zmng-b7af6", "zmninjang")];
const OFF: &str = "it belongs to a feature that was off";
const LEGACY: &str = "Google shut down this FCM API in 2024";

pub(super) fn take(taking: &mut Takeover<'_>) {
    token_file(taking);
    let proxy = push_proxy(taking);
    apns(taking, proxy);
    legacy(taking);
    fcm(taking);
}

fn token_file(taking: &mut Takeover<'_>) {
    let usual = match taking.old.generation {
        Some(Generation::Script) => "/etc/private/tokens.txt",
        Some(Generation::Ini | Generation::Yaml) | None => "/var/lib/zmeventnotification/push/tokens.txt",
    };
    let got = taking.get("fcm", "token_file");
    let named = got.as_ref().map(|got| got.value.word().to_owned()).filter(|word| !word.is_empty());
    if let Some(got) = &got {
        let why = "a separate command imports the tokens: see below".to_owned();
        taking.say(got.entry, Fate::Needless(why));
    }
    if taking.old.tokens.is_empty() {
        let path = named.unwrap_or_else(|| usual.to_owned());
        taking.next(format!("once zmesd runs: `zmesctl tokens import {path}`"));
    }
}

/// Takes over the PushProxy of 0.93; returns whether it was in use.
fn push_proxy(taking: &mut Takeover<'_>) -> bool {
    let used = taking.flag(SCRIPT, "usePushProxy");
    let [url, name, key, sound] =
        ["pushProxyURL", "PUSHPROXY_APP_NAME", "PUSHPROXY_APP_ID", "useCustomNotificationSound"]
            .map(|key| taking.get(SCRIPT, key));
    let section = "push.proxy";
    let Some((true, switch)) = used else {
        for got in [&url, &name, &key, &sound] {
            taking.idle(got.as_ref(), "the PushProxy was not used");
        }
        taking.idle(used.as_ref().map(|(_, got)| got), "it was off");
        return false;
    };
    let public = url.as_ref().filter(|got| PUBLIC_PROXIES.iter().any(|host| got.value.word().contains(host)));
    if let Some(got) = public.cloned() {
        let why = "this is zmNinja's public PushProxy, which no longer answers";
        taking.open(
            got.entry,
            why,
            "use another PushProxy, or set push.proxy.enabled = false and use FCM: a PushProxy takes every token",
        );
    }
    let mut whole = true;
    whole &= url.is_some_and(|got| taking.take_word(&got, section, "url"));
    whole &= name.is_some_and(|got| taking.take_word(&got, section, "app-name"));
    whole &= key.is_some_and(|got| taking.take_secret(&got, section, "app-key"));
    if let Some(got) = sound {
        let custom = super::values::flag(got.value.word()).unwrap_or(true);
        let sound = if custom { "blop.caf" } else { "" };
        taking.take(&[got.entry], section, "sound", NewValue::Text(sound.to_owned()));
    }
    if whole {
        taking.take(&[switch.entry], section, "enabled", NewValue::Flag(true));
        taking.note(
            "zmesd verifies the PushProxy's certificate, which the old server did not: if no public authority signed \
             it, name its root in push.proxy.ca-certificate",
        );
    } else {
        let why = "a PushProxy needs a URL, the app's name and its key; not all of them could be taken over";
        taking.open(switch.entry, why, "complete [push.proxy] in zmesd.toml and set enabled = true");
    }
    true
}

fn apns(taking: &mut Takeover<'_>, proxy: bool) {
    let used = taking.flag(SCRIPT, "usePushAPNSDirect");
    let sandbox = taking.flag(SCRIPT, "isSandbox");
    let (certificate, key) = (taking.get(SCRIPT, "APNS_CERT_FILE"), taking.get(SCRIPT, "APNS_KEY_FILE"));
    let section = "push.apns";
    let Some((true, switch)) = used.clone().filter(|_| !proxy) else {
        let why = "pushes were not sent directly to Apple";
        for got in [certificate.as_ref(), key.as_ref(), sandbox.as_ref().map(|(_, got)| got)] {
            taking.idle(got, why);
        }
        let why = if proxy { "the PushProxy was used instead" } else { "it was off" };
        taking.idle(used.as_ref().map(|(_, got)| got), why);
        return;
    };
    let mut whole = true;
    whole &= certificate.is_some_and(|got| taking.take_word(&got, section, "certificate"));
    whole &= key.is_some_and(|got| taking.take_word(&got, section, "key"));
    if let Some((sandbox, got)) = sandbox {
        let endpoint = if sandbox { "sandbox" } else { "production" };
        taking.take(&[got.entry], section, "endpoint", NewValue::Text(endpoint.to_owned()));
    }
    if whole {
        taking.take(&[switch.entry], section, "enabled", NewValue::Flag(true));
    }
    let why = "Apple shut down the API that the old server used; zmesd uses the current one, with the same certificate if it is valid";
    taking.open(
        switch.entry,
        why,
        "set push.apns.topic to the bundle id of the app that the certificate is for",
    );
}

/// Reports settings of the old FCM API.
fn legacy(taking: &mut Takeover<'_>) {
    if let Some((new, got)) = taking.flag("fcm", "use_fcmv1") {
        let fate = if new {
            Fate::Needless("zmesd always uses it".to_owned())
        } else {
            Fate::Missing { why: LEGACY.to_owned(), instead: "zmesd uses FCM HTTP v1".to_owned() }
        };
        taking.say(got.entry, fate);
    }
    // The value is useless, so a missing secret is not reported.
    if let Some(entry) = taking.old.latest("fcm", "api_key") {
        let instead =
            "set push.fcm.service-account, with an app of your own, or add a [[push.fcm.proxy]]".to_owned();
        taking.say(entry, Fate::Missing { why: LEGACY.to_owned(), instead });
    }
}

fn fcm(taking: &mut Takeover<'_>) {
    let enabled = taking.flag("fcm", "enable");
    let [account, url, key] =
        ["fcm_service_account_file", "fcm_v1_url", "fcm_v1_key"].map(|key| taking.get("fcm", key));
    let section = "push.fcm";
    if let Some((false, switch)) = &enabled {
        taking.take(&[switch.entry], section, "enabled", NewValue::Flag(false));
        for got in [&account, &url, &key] {
            taking.idle(got.as_ref(), OFF);
        }
        return;
    }
    if taking.old.generation == Some(Generation::Script) && enabled.is_none() {
        // Before 0.95 there was no FCM.
        return;
    }
    let account = account.filter(|got| !is_empty(taking, got));
    let by_account = account.is_some_and(|got| taking.take_word(&got, section, "service-account"));
    let by_function = if by_account || url.is_some() || key.is_some() || taking.old.shipped.is_empty() {
        function(taking, url, key)
    } else {
        shipped_function(taking)
    };
    let switch = enabled.as_ref().map(|(_, got)| got);
    if by_account || by_function {
        let from: Vec<_> = switch.iter().map(|got| got.entry).collect();
        taking.take(&from, section, "enabled", NewValue::Flag(true));
        return;
    }
    let why = "FCM was on, but the file has no URL and no service account: the old server used a URL and a key from its own script";
    let hint = "pass that script too: `zmesd import-config FILE.ini /usr/bin/zmeventnotification.pl` (version 7: \
                Constants.pm); or set push.fcm.service-account, with an app of your own";
    match switch {
        Some(got) => taking.open(got.entry, why, hint),
        None => taking.say_of("[fcm]", Fate::Open { why: why.to_owned(), hint: hint.to_owned() }),
    }
}

/// Takes over URL and key of the admin's own script; says whether it could.
fn shipped_function(taking: &mut Takeover<'_>) -> bool {
    let of = |key: &str| taking.old.shipped.iter().rev().find(|entry| entry.key == key);
    let (Some(url), Some(key)) = (of("fcm_v1_url"), of("fcm_v1_key")) else { return false };
    let got = |entry| OldValue { entry, value: ResolvedValue::plain(entry) };
    let (url, key) = (got(url), got(key));
    if !function(taking, Some(url), Some(key.clone())) {
        return false;
    }
    let why =
        "the old server's authors shipped this key with their script and can withdraw it; it is not yours";
    let hint =
        "pushes work as before; without that key, set push.fcm.service-account, with an app of your own";
    taking.open(key.entry, why, hint);
    true
}

/// Takes over the cloud function; says whether there is one.
fn function(taking: &mut Takeover<'_>, url: Option<OldValue<'_>>, key: Option<OldValue<'_>>) -> bool {
    let url = url.filter(|got| !is_empty(taking, got));
    let key = key.filter(|got| !is_empty(taking, got));
    let section = "push.fcm.proxy";
    let usual = if taking.old.generation == Some(Generation::Yaml) { FUNCTION_OF_7 } else { FUNCTION_OF_6 };
    let entry = match (&url, &key) {
        (Some(got), _) => {
            if !taking.take_word(got, section, "url") {
                taking.idle(key.as_ref(), "it belongs to a URL that could not be taken over");
                return false;
            }
            got.entry
        }
        (None, Some(got)) => {
            taking.take(&[got.entry], section, "url", NewValue::Text(usual.to_owned()));
            let why = "the file has a key without a URL, so the old server's default URL is used";
            taking.open(got.entry, why, "check url in [[push.fcm.proxy]]");
            got.entry
        }
        (None, None) => return false,
    };
    let place = url.as_ref().map_or(usual, |got| got.value.word());
    let app = APPS.iter().find(|(piece, _)| place.contains(piece)).map_or("own", |(_, app)| app);
    taking.take(&[entry], section, "name", NewValue::Text(app.to_owned()));
    if let Some(got) = &key {
        taking.take_secret(got, section, "key");
    } else {
        let why = "the file has a URL without a key: the old server used one from its own script";
        let hint = "add key to [[push.fcm.proxy]], unless the function needs none";
        taking.open(entry, why, hint);
    }
    true
}

/// Says whether a value is empty, and reports it.
fn is_empty(taking: &mut Takeover<'_>, got: &OldValue<'_>) -> bool {
    let empty = got.value.text().is_empty();
    if empty {
        taking.say(got.entry, Fate::Idle("it is empty".to_owned()));
    }
    empty
}
