use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::shm::Synthetic;

const ONE: MonitorId = MonitorId(1);

fn on(cause: &str, text: &str) -> TriggerCommand {
    TriggerCommand::On { score: 100, cause: cause.to_owned(), text: text.to_owned() }
}

fn trigger_data(zmc: &Synthetic) -> Vec<u8> {
    std::fs::read(zmc.path()).unwrap()[zmc.layout.trigger()..zmc.layout.needed()].to_vec()
}

fn sockets(directory: &Path) -> LocalTrigger {
    LocalTrigger::new(directory.join("map"), Some(directory.to_owned()))
}

#[tokio::test]
async fn an_alarm_is_forced_and_cancelled_in_shared_memory_of_every_layout() {
    let directory = TempDir::new().unwrap();
    let trigger = LocalTrigger::new(directory.path().to_owned(), None);
    for layout in layout::Layout::ALL {
        let zmc = Synthetic::start(directory.path(), ONE, layout.size);
        assert_eq!(trigger.set(ONE, on("It's|me", "line\nbreak")).await, Ok(TriggerVia::SharedMemory));
        let data = trigger_data(&zmc);
        assert_eq!(data[4..12], [1_u32.to_ne_bytes(), 100_u32.to_ne_bytes()].concat());
        assert_eq!(&data[16..25], b"It s me\0\0");
        assert_eq!(&data[48..59], b"line break\0");
        assert_eq!(trigger.set(ONE, TriggerCommand::Cancel).await, Ok(TriggerVia::SharedMemory));
        assert_eq!(trigger_data(&zmc)[4..8], [0; 4]);
    }
}

#[tokio::test]
async fn long_texts_end_before_their_field_and_at_a_whole_character() {
    let directory = TempDir::new().unwrap();
    let trigger = LocalTrigger::new(directory.path().to_owned(), None);
    let zmc = Synthetic::start(directory.path(), ONE, 768);
    trigger.set(ONE, on(&"ü".repeat(40), &"t".repeat(400))).await.unwrap();
    let data = trigger_data(&zmc);
    assert_eq!(data[16..48], ["ü".repeat(15).as_bytes(), &[0, 0]].concat());
    assert_eq!(data[48..304], ["t".repeat(255).as_bytes(), &[0]].concat());
}

#[tokio::test]
async fn memory_that_no_zmc_has_filled_is_not_written() {
    let directory = TempDir::new().unwrap();
    let trigger = LocalTrigger::new(directory.path().to_owned(), None);
    assert_eq!(trigger.set(ONE, on("a", "b")).await, Err(TriggerError::NotCaptured(ONE)));
    let zmc = Synthetic::start(directory.path(), ONE, 768);
    zmc.byte(zmc.layout.valid, 0);
    assert_eq!(trigger.set(ONE, on("a", "b")).await, Err(TriggerError::NotCaptured(ONE)));
    zmc.put(0, &880_u32.to_ne_bytes());
    let before = std::fs::read(zmc.path()).unwrap();
    assert!(matches!(trigger.set(ONE, on("a", "b")).await, Err(TriggerError::Failed { .. })));
    assert_eq!(std::fs::read(zmc.path()).unwrap(), before);
}

#[tokio::test]
async fn zmtrigger_gets_its_lines_and_the_answer_comes_when_it_has_taken_them() {
    let directory = TempDir::new().unwrap();
    let listener = UnixListener::bind(directory.path().join(SOCKET_NAME)).unwrap();
    let zmtrigger = std::thread::spawn(move || {
        [(); 2].map(|()| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"3|on|1795342142|15\n").unwrap();
            let mut line = String::new();
            stream.read_to_string(&mut line).unwrap();
            line
        })
    });
    let trigger = sockets(directory.path());
    let via = trigger.ask_zmtrigger(ONE, &harmless(on("Do|or", "front 'door'")), "denied").await;
    assert_eq!(via, Ok(TriggerVia::Zmtrigger));
    let via = trigger.ask_zmtrigger(ONE, &TriggerCommand::Cancel, "denied").await;
    assert_eq!(via, Ok(TriggerVia::Zmtrigger));
    assert_eq!(zmtrigger.join().unwrap(), ["1|on|100|Do or|front  door|\n", "1|cancel\n"]);
}

#[tokio::test]
async fn without_zmtrigger_the_refusal_says_why_and_what_to_do() {
    let directory = TempDir::new().unwrap();
    let denied = "/dev/shm/zm.mmap.1 (mode 0640, owner www-data:www-data) may not be written";
    let refusal =
        sockets(directory.path()).ask_zmtrigger(ONE, &TriggerCommand::Cancel, denied).await.unwrap_err();
    let TriggerError::NotPermitted(text) = &refusal else { panic!("{refusal:?}") };
    assert!(text.starts_with(denied) && text.contains("OPT_TRIGGERS"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_zmtrigger_that_hangs_is_given_up() {
    let directory = TempDir::new().unwrap();
    let _listener = UnixListener::bind(directory.path().join(SOCKET_NAME)).unwrap();
    let result = sockets(directory.path()).ask_zmtrigger(ONE, &TriggerCommand::Cancel, "denied").await;
    assert!(matches!(result, Err(TriggerError::Failed { .. })), "{result:?}");
}
