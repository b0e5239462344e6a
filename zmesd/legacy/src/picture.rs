//! The picture of a push: its URL and the frame that it names. The user and password that the old server appended are left
//! out.

use secrecy::SecretString;

use super::draft::NewValue;
use super::report::Fate;
use super::takeover::Takeover;

/// Frames that only object detection makes; `BESTMATCH` let the old server choose one.
const DETECTED: [&str; 2] = ["objdetect", "BESTMATCH"];
/// The frame that every event has.
const SNAPSHOT: &str = "snapshot";
/// Marks of a user or a password in a URL.
const CREDENTIALS: [&str; 6] = ["username=", "user=", "password=", "pass=", "token=", "auth="];

const HINT: &str = "set picture.base-url in zmesd.toml to the address at which phones reach zmesd, such as \
                    https://zm.example.org:9000: zmesd's own links need no password. Or push.picture-url, with a URL of \
                    ZoneMinder's web page that needs none";
const LEFT_OUT: &str = "a URL with a user, a password or a token, which every provider on the way to the phone can read: left out";

pub(super) fn take(taking: &mut Takeover<'_>) {
    let included = taking.flag("customize", "include_picture");
    let on = matches!(included, Some((true, _)));
    let keys = ["picture_url", "picture_portal_username", "picture_portal_password"];
    if !on {
        taking.idle(included.as_ref().map(|(_, got)| got), "it was off");
        for entry in keys.iter().filter_map(|key| taking.old.latest("customize", key)) {
            taking.say(entry, Fate::Idle("pushes had no picture (include_picture was off)".to_owned()));
        }
        return;
    }
    let [url, user, password] = keys.map(|key| taking.get("customize", key));
    let switch = included.map(|(_, got)| got);
    let url = match url {
        Some(url) if !url.value.word().is_empty() => url,
        empty => {
            if let Some(got) = &switch {
                taking.open(got.entry, "picture_url is missing", HINT);
            }
            taking.idle(empty.as_ref(), "it is empty");
            for got in [&user, &password] {
                taking.idle(got.as_ref(), "picture_url is missing");
            }
            return;
        }
    };
    let word = url.value.word();
    let login = [&user, &password].into_iter().flatten().find(|got| !got.value.text().is_empty());
    if let Some(why) = unusable(word) {
        taking.open(url.entry, why, HINT);
        for got in [&switch, &user, &password] {
            taking.idle(got.as_ref(), "picture_url could not be taken over");
        }
        return;
    }
    // The old server appended user and password to the URL.
    if login.is_some() || credentials(word) {
        taking.open(url.entry, LEFT_OUT, HINT);
        for got in [&switch, &user, &password].into_iter().flatten() {
            taking.say(got.entry, Fate::Needless("links of picture.base-url need no login".to_owned()));
        }
        return;
    }
    for got in [&user, &password] {
        taking.idle(got.as_ref(), "it is empty");
    }
    let (address, rewritten) = with_snapshot(word);
    let mut from = vec![url.entry];
    from.extend(switch.as_ref().map(|got| got.entry));
    let value = if url.value.secret {
        NewValue::Private(SecretString::from(address))
    } else {
        NewValue::Text(address)
    };
    let taken = taking.take(&from, "push", "picture-url", value);
    if taken && rewritten {
        let why = "zmesd does not run object detection, so the picture is now the frame `snapshot`";
        let hint =
            "set picture.base-url instead: its links show the picture of a detection where there is one";
        taking.open(url.entry, why, hint);
    }
}

/// Replaces frames that only object detection makes; says whether there were any.
fn with_snapshot(url: &str) -> (String, bool) {
    let mut changed = url.to_owned();
    for frame in DETECTED {
        while let Some(at) = changed.find(frame) {
            let rest = changed.get(at + frame.len()..).unwrap_or_default();
            // `objdetect_jpg`, `objdetect_gif`, `objdetect_mp4`
            let kind = rest
                .strip_prefix('_')
                .map_or(0, |kind| 1 + kind.bytes().take_while(u8::is_ascii_alphanumeric).count());
            changed.replace_range(at..at + frame.len() + kind, SNAPSHOT);
        }
    }
    let differs = changed != url;
    (changed, differs)
}

/// Returns why a value cannot be the URL of pictures.
fn unusable(url: &str) -> Option<String> {
    if let Some(placeholder) = placeholder(url) {
        return Some(format!("`{placeholder}` is the example's placeholder, so pushes had no picture"));
    }
    let absolute = url.starts_with("https://") || url.starts_with("http://");
    (!absolute || url.contains(char::is_whitespace))
        .then(|| "not a URL that starts with https:// or http://".to_owned())
}

/// Returns what stands in angle brackets: the old server's file came with `https://<your domain>/zm/…`, to be filled in.
fn placeholder(url: &str) -> Option<&str> {
    let start = url.find('<')?;
    let length = url.get(start..)?.find('>')?;
    let found = url.get(start..=start + length)?;
    let plain = |character: char| character.is_ascii_alphanumeric() || " -_.<>".contains(character);
    (found.len() <= 40 && found.chars().all(plain)).then_some(found)
}

/// Says whether a URL holds a user, a password or a token, in its query or before its host.
fn credentials(url: &str) -> bool {
    let lower = url.to_ascii_lowercase();
    let authority = lower.split_once("://").map_or(&*lower, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let named = |name: &&str| lower.contains(&format!("?{name}")) || lower.contains(&format!("&{name}"));
    authority.contains('@') || CREDENTIALS.iter().any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_detection_become_the_snapshot() {
        for (url, expected) in [
            (
                "https://a/?eid=EVENTID&fid=objdetect&width=600",
                "https://a/?eid=EVENTID&fid=snapshot&width=600",
            ),
            ("https://a/?fid=objdetect_mp4", "https://a/?fid=snapshot"),
            ("https://a/?fid=BESTMATCH", "https://a/?fid=snapshot"),
        ] {
            assert_eq!(with_snapshot(url), (expected.to_owned(), true), "{url}");
        }
        assert_eq!(with_snapshot("https://a/?fid=alarm"), ("https://a/?fid=alarm".to_owned(), false));
    }

    #[test]
    fn the_placeholder_of_the_example_is_known_and_nothing_else_is_quoted() {
        assert_eq!(placeholder("https://<your domain>/zm/index.php"), Some("<your domain>"));
        assert_eq!(placeholder("https://<portal>/zm"), Some("<portal>"));
        assert_eq!(placeholder("https://zm.example.org/?pass=a<b"), None);
        assert_eq!(placeholder("https://zm.example.org/?pass=<p4$$w0rd!>"), None, "it may be a password");
    }

    #[test]
    fn a_login_is_found_wherever_a_url_can_hold_one() {
        for url in [
            "https://me:word@a.example.org/?eid=EVENTID",
            "https://me@a.example.org",
            "https://a.example.org/?Username=me",
            "https://a.example.org/?eid=EVENTID&token=x",
            "https://a.example.org/?auth=0123",
        ] {
            assert!(credentials(url), "{url}");
        }
        for url in ["https://a.example.org/?eid=EVENTID", "https://a.example.org/user=/@x?notoken=1"] {
            assert!(!credentials(url), "{url}");
        }
    }
}
