//! Makes a ledger, and has two nodes tell each other of an alarm.
//!
//! ```text
//! DB_PASSWORD=… cargo run -p zmes-cluster --example ledger -- /run/mysqld/mysqld.sock root
//! ```
//!
//! The account must be an administrator's. The schema is named `zmesd_example`; drop it afterwards.

#![expect(clippy::print_stdout, reason = "an example for a terminal")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use zmes_cluster::alarms::{AlarmWriter, DedupKey, LedgerAlarm, Reader};
use zmes_cluster::lease::{Lease, LeaseAction, LeaseEvent, LeaseSight, LeaseTiming, perform};
use zmes_cluster::node::{Admission, Membership, NodeSettings, register, stop};
use zmes_cluster::schema::{Account, Plan};
use zmes_cluster::{LedgerLine, LedgerServer, glance};
use zmes_shared::words::Phase;
use zmes_shared::{EventId, MonitorId};

type Failure = Box<dyn std::error::Error>;

const SCHEMA: &str = "zmesd_example";

#[expect(clippy::disallowed_methods, reason = "an example reads its own environment")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, user] = arguments.as_slice() else {
        return Err("usage: ledger SOCKET USER, with the password in DB_PASSWORD".into());
    };
    let password = SecretString::from(std::env::var("DB_PASSWORD").unwrap_or_default());
    let server = LedgerServer::socket(Path::new(socket), user, &password);

    let mut admin = LedgerLine::new(Arc::new(server.clone()), Duration::from_secs(20));
    let account = Account { user: user.clone(), host: "localhost".to_owned(), password: None };
    let plan = Plan::make(&mut admin, SCHEMA, &account).await?;
    for statement in &plan.statements {
        println!("{}", statement.title());
    }
    plan.run(&mut admin).await?;

    let server = Arc::new(server.with_schema(SCHEMA));
    let line = || LedgerLine::new(Arc::clone(&server), Duration::from_secs(2));
    let (mut at_north, mut at_south) = (line(), line());
    let north = member(&mut at_north, "north").await?;
    let south = member(&mut at_south, "south").await?;
    let mut reader = Reader::from_now(south.key.id);
    reader.read(&mut at_south).await?;

    let mut writer = AlarmWriter::new(north, 4_096);
    writer.push(LedgerAlarm {
        dedup: DedupKey::eventless(north.key, 1),
        phase: Phase::Start,
        monitor: MonitorId(3),
        event: Some(EventId(32_910)),
        at: Timestamp::now(),
        body: br#"{"cause":"Motion: door"}"#.to_vec(),
    })?;
    let written = writer.write(&mut at_north).await?;
    println!("north has written {written:?}");
    for logged in reader.read(&mut at_south).await?.alarms {
        let body = String::from_utf8_lossy(&logged.alarm.body);
        println!("south has read monitor {}, {body}, {:?} later", logged.alarm.monitor, logged.age);
    }

    lead(&mut at_south, south).await?;
    stop(&mut at_north, north.key).await?;
    stop(&mut at_south, south.key).await?;
    Ok(())
}

async fn member(line: &mut LedgerLine, name: &str) -> Result<Membership, Failure> {
    // A real node makes its identity once, at random, and keeps it.
    let mut identity = [0; 16];
    identity.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    let settings = NodeSettings {
        name: name.to_owned(),
        identity,
        last_epoch: 0,
        server: None,
        prefer: 0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        address: String::new(),
    };
    match register(line, &settings).await? {
        Admission::Member(member) => Ok(member),
        Admission::Twin(twin) => Err(format!("{} is at work already", twin.name).into()),
    }
}

/// Takes the lease, and gives it back.
async fn lead(line: &mut LedgerLine, member: Membership) -> Result<(), Failure> {
    let started = tokio::time::Instant::now();
    let mut lease = Lease::new(member.key, 0, LeaseTiming::new(Duration::from_secs(3)), Duration::ZERO);
    let mut events = vec![LeaseEvent::Seen(LeaseSight::of(&glance(line).await?, member.key.id))];
    while let Some(event) = events.pop() {
        for action in lease.on(event, started.elapsed()) {
            println!("south: {action:?}");
            let answer = perform(line, member.key, action, || started.elapsed()).await.0;
            events.extend(answer);
            // Here a daemon sends, until its lease is over.
            if matches!(action, LeaseAction::Lead(_)) {
                events.push(LeaseEvent::Stop);
            } else if action == LeaseAction::Drain {
                events.push(LeaseEvent::Drained);
            }
        }
    }
    Ok(())
}
