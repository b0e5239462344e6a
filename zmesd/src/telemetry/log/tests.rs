//! What the log writes, and its level.

use super::*;

/// Keeps the output of a log.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn a_temporary_level_expires_into_the_lasting_one() {
    let (_filter, log) = LogHandle::new("warn").unwrap();
    let first = log.set_for_now("debug").unwrap();
    assert_eq!(first.before, "warn");
    let second = log.set_for_now("trace").unwrap();
    assert_eq!(second.before, "debug");
    assert_eq!(log.expire(first.number).unwrap(), None, "the later change wins");
    assert_eq!(log.level(), "trace");
    assert_eq!(log.expire(second.number).unwrap(), Some("warn".into()), "not the temporary one before");
    assert_eq!(log.level(), "warn");
}

#[test]
fn a_lasting_change_outlives_an_expiry() {
    let (_filter, log) = LogHandle::new("warn").unwrap();
    let temporary = log.set_for_now("debug").unwrap();
    log.set("info").unwrap();
    assert_eq!(log.expire(temporary.number).unwrap(), None);
    assert_eq!(log.level(), "info");
}

#[test]
fn a_level_that_is_none_changes_nothing() {
    let (_filter, log) = LogHandle::new("warn").unwrap();
    assert!(matches!(log.set("loud"), Err(LogError::Level(_))));
    assert_eq!(log.level(), "warn");
}

#[test]
fn the_filter_follows() {
    let (filter, log) = LogHandle::new("warn").unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(filter), || {
        assert!(!tracing::enabled!(target: "zmesd::x", tracing::Level::DEBUG));
        log.set("debug").unwrap();
        assert!(tracing::enabled!(target: "zmesd::x", tracing::Level::DEBUG));
    });
}

#[test]
fn a_stream_that_nobody_hears_is_recognised() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("log");
    let (reader, writer) = io::pipe().unwrap();
    assert!(!is_deaf(&std::fs::File::create(&file).unwrap()) && !is_deaf(&writer));
    assert!(is_deaf(&std::fs::File::open(&file).unwrap()) && is_deaf(&reader));
    assert!(is_deaf(&std::fs::File::options().write(true).open("/dev/null").unwrap()));
}

#[test]
fn the_journal_is_recognised_by_its_stream_not_by_the_variable_alone() {
    let stderr = fstat(io::stderr()).unwrap();
    assert!(is_journal(Some(&format!("{}:{}", stderr.st_dev, stderr.st_ino))));
    for other in [None, Some(""), Some("1"), Some("a:b"), Some("8:0"), Some("8:9999999")] {
        assert!(!is_journal(other), "{other:?}");
    }
}
