use zmes_providers::ApnsEndpoint;

use super::*;

fn complaint<F: Form<Value: Debug>>(form: &F, literal: Literal<'_>) -> String {
    form.read(literal).unwrap_err().message
}

#[test]
fn a_value_of_another_kind_is_named() {
    assert_eq!(complaint(&Flag, Literal::Number(1)), "must be true or false, but is a number");
    assert_eq!(Flag.read(Literal::Text("true")).unwrap_err().hint.unwrap(), "remove the quotes");
    let ports = Number { min: 1, max: 9 };
    assert_eq!(complaint(&ports, Literal::Text("1")), "must be a number from 1 to 9, but is a string");
    assert_eq!(complaint(&WORDS, Literal::Other("a table")), "must be a string, but is a table");
}

#[test]
fn ranges_are_named_in_the_message() {
    let clients = Number { min: 1, max: 9 };
    assert_eq!(clients.read(Literal::Number(9)).unwrap(), 9);
    for number in [0, 10, -1, i64::MAX] {
        assert_eq!(
            complaint(&clients, Literal::Number(number)),
            format!("{number} is out of range: it must be from 1 to 9")
        );
    }
    let poll = Span { min: Duration::from_millis(1), max: Duration::from_secs(10) };
    assert_eq!(poll.read(Literal::Text("10s")).unwrap(), Duration::from_secs(10));
    assert_eq!(complaint(&poll, Literal::Text("0ms")), "0ms is out of range: it must be from 1ms to 10s");
    assert_eq!(
        complaint(&poll, Literal::Text("20")),
        "`20` is not a duration such as 20ms, 5s, 10m, 1h or 60d"
    );
    assert_eq!(
        poll.read(Literal::Number(20)).unwrap_err().hint.unwrap(),
        "write the unit, in quotes: \"20s\" or \"20ms\""
    );
}

#[test]
fn words_near_a_choice_are_offered() {
    let source = Choice(&[("auto", 0), ("shm", 1), ("db", 2)]);
    assert_eq!(source.read(Literal::Text("db")).unwrap(), 2);
    assert_eq!(
        complaint(&source, Literal::Text("atuo")),
        "must be \"auto\" or \"shm\" or \"db\", but is `atuo`, did you mean `auto`?"
    );
    assert!(!complaint(&source, Literal::Text("elsewhere")).contains("did you mean"));
}

#[test]
fn a_secret_is_never_quoted() {
    let source = Secret.read(Literal::Text("hunter2")).unwrap();
    assert!(!format!("{source:?}").contains("hunter2"));
    assert!(!complaint(&Secret, Literal::Text("hunter2\n")).contains("hunter2"));
    assert!(!complaint(&Secret, Literal::List(&["hunter2"])).contains("hunter2"));
    assert!(!complaint(&WEB_URL, Literal::Text("https://u:hunter2@host")).contains("hunter2"));
    assert!(!complaint(&WEB_URL, Literal::Text("ftp://u:hunter2@host")).contains("hunter2"));
}

#[test]
fn addresses_need_a_port() {
    let both = LISTENERS.read(Literal::List(&["[::]:9000", "127.0.0.1:9001"])).unwrap();
    assert_eq!(both, ["[::]:9000".parse().unwrap(), "127.0.0.1:9001".parse().unwrap()]);
    for (texts, part) in [
        (&["9000"][..], "`9000` is not an address with a port"),
        (&["localhost:9000"], "`localhost:9000` is not an address"),
        (&["[::]:9000", "[::]:9000"], "[::]:9000 is listed twice"),
        (&[], "from 1 to 64"),
    ] {
        let message = complaint(&LISTENERS, Literal::List(texts));
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(
        LISTENERS.read(Literal::List(&["*:9000"])).unwrap_err().hint.unwrap(),
        "write \"[::]:9000\": all addresses, IPv6 and IPv4"
    );
    assert_eq!(LISTENERS.read(Literal::Text("[::]:9")).unwrap_err().hint.unwrap(), "write [\"[::]:9\"]");
    assert!(LISTENERS.read(Literal::List(&["127.0.0.1:0", "127.0.0.1:0"])).is_ok());
    assert_eq!(METRICS_ADDRESS.read(Literal::Text("")).unwrap(), None);
}

#[test]
fn networks_may_be_single_addresses() {
    let networks = NETWORKS.read(Literal::List(&["10.0.0.0/8", "192.0.2.7", "::1"])).unwrap();
    let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32", "::1/128"]);
    assert!(complaint(&NETWORKS, Literal::List(&["10.0.0.0/40"])).contains("10.0.0.0/40"));
}

#[test]
fn origins_are_what_browsers_send() {
    let origins = ["https://ZM.example.org:8443", "capacitor://localhost", "file://", "null"];
    let read = ORIGINS.read(Literal::List(&origins)).unwrap();
    assert_eq!(read, ["https://zm.example.org:8443", "capacitor://localhost", "file://", "null"]);
    for wrong in ["zm.example.org", "https://zm.example.org/", "*", "https://*.example.org", "://x", ""] {
        assert!(ORIGINS.read(Literal::List(&[wrong])).is_err(), "{wrong}");
    }
}

#[test]
fn urls_are_checked_without_their_server() {
    for url in ["https://host:8801", "http://host/path?x=1", "https://[::1]:8801/", "https://[::1]/"] {
        assert_eq!(WEB_URL.read(Literal::Text(url)).unwrap().as_deref(), Some(url));
    }
    for url in ["host:8801", "https://", "https://:80", "https://host:port", "https://host:0", "https://a b/"]
    {
        assert!(WEB_URL.read(Literal::Text(url)).is_err(), "{url}");
    }
    assert_eq!(GATEWAY.read(Literal::Text("sandbox")).unwrap(), ApnsEndpoint::Sandbox);
    let other = GATEWAY.read(Literal::Text("https://127.0.0.1:2197")).unwrap();
    assert_eq!(other, ApnsEndpoint::Other("https://127.0.0.1:2197".into()));
    assert!(complaint(&GATEWAY, Literal::Text("prodution")).contains("did you mean `production`?"));
    assert!(GATEWAY.read(Literal::Text("http://127.0.0.1:2197")).is_err(), "never in the clear");
}

#[test]
fn versions_are_checked() {
    assert_eq!(ZONEMINDER_VERSION.read(Literal::Text("auto")).unwrap(), None);
    assert_eq!(ZONEMINDER_VERSION.read(Literal::Text("1.36.33")).unwrap(), Some(ZmVersion(1, 36, 33)));
    assert!(ZONEMINDER_VERSION.read(Literal::Text("new")).is_err());
    assert_eq!(APP_VERSION.read(Literal::Text("7.0.0")).unwrap(), "7.0.0");
    assert_eq!(complaint(&APP_VERSION, Literal::Text("5.9")), "`5.9` is too old");
    for wrong in ["7", "", "v7.0", "7.0-beta", "7..0"] {
        assert_eq!(complaint(&APP_VERSION, Literal::Text(wrong)), format!("`{wrong}` is not a version"));
    }
}

#[test]
fn a_misspelt_level_is_not_taken_for_a_module() {
    for level in ["error", "INFO", "off", "info,zmesd::ws=debug", "zmesd=trace"] {
        assert!(check_log_level(level).is_ok(), "{level}");
    }
    assert_eq!(
        check_log_level("inof").unwrap_err().message,
        "`inof` is not a log level, did you mean `info`?"
    );
    for level in ["", "info,", "=info", "a b=info", "zmesd"] {
        assert!(check_log_level(level).is_err(), "{level}");
    }
}

#[test]
fn paths_and_texts_are_bounded() {
    assert_eq!(PATH_NAME.read(Literal::Text("")).unwrap(), None);
    assert_eq!(PATH_NAME.read(Literal::Text("/dev/shm")).unwrap(), Some("/dev/shm".into()));
    assert!(complaint(&PATH_NAME, Literal::Text("~/x")).contains("starts with `~`"));
    assert!(complaint(&WORDS, Literal::Text(&"x".repeat(5000))).contains("4096"));
    assert!(complaint(&WORDS, Literal::Text("a\0b")).contains("control character"));
}
