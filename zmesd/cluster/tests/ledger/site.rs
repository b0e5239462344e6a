//! Three hosts with cameras and phones, while hosts are killed and cut off and the database comes and goes: no alarm is lost
//! for any phone, and repeats are few.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use zmes_cluster::alarms::Reader;
use zmes_cluster::node::NodeId;

use crate::host::{Disk, Host, PHONES, Provider};
use crate::mariadb::MariaDb;
use crate::nodes::{beside, read_all};
use crate::proxy::{Proxy, Weather};

const TERM: Duration = Duration::from_millis(600);
/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(12);
const NAMES: [&str; 3] = ["north", "south", "east"];

struct Place {
    proxy: Proxy,
    disk: Arc<Mutex<Disk>>,
    task: JoinHandle<()>,
}

fn start(
    index: usize,
    port: u16,
    disk: &Arc<Mutex<Disk>>,
    provider: &Provider,
    started: Instant,
) -> JoinHandle<()> {
    let lines = (MariaDb::line_within(port, TERM * 4 / 15), MariaDb::line_within(port, TERM));
    let (disk, provider) = (Arc::clone(disk), Arc::clone(provider));
    beside(async move { Host::start(NAMES[index], disk, provider, lines, TERM, started).await.run().await })
}

fn all_have(places: &[Place], weather: Weather) {
    for place in places {
        place.proxy.set(weather);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_alarm_is_lost_for_any_phone_and_few_ring_twice() {
    let Some(server) = MariaDb::start().await else { return };
    let started = Instant::now();
    let provider = Provider::default();
    let mut places = Vec::new();
    for index in 0..3 {
        let proxy = Proxy::start(server.port).await;
        let disk = Arc::<Mutex<Disk>>::default();
        let task = start(index, proxy.port, &disk, &provider, started);
        places.push(Place { proxy, disk, task });
    }
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut told, mut faults) = (Vec::new(), 0_usize);
    let begin = Instant::now();
    while begin.elapsed() < TROUBLE {
        for (index, place) in (1..).zip(&places) {
            let event = index * 1_000_000 + told.len() as u64;
            place.disk.lock().unwrap().events.push(event);
            told.push(event);
        }
        if rng.u32(0..12) == 0 {
            faults += 1;
            let index = rng.usize(0..3);
            match rng.u32(0..6) {
                0 | 1 => {
                    places[index].task.abort();
                    let Place { proxy, disk, .. } = &places[index];
                    places[index].task = start(index, proxy.port, disk, &provider, started);
                }
                2 => places[index].proxy.set(Weather::Cut),
                3 => places[index].proxy.set(Weather::Deaf),
                4 => places[index].proxy.set(Weather::Silent),
                _ => all_have(&places, Weather::Cut),
            }
        }
        if rng.u32(0..20) == 0 {
            all_have(&places, Weather::Fine(Duration::from_millis(1)));
        }
        sleep(Duration::from_millis(30)).await;
    }
    all_have(&places, Weather::Fine(Duration::ZERO));
    let open = "SELECT COUNT(*) FROM alarm WHERE NOT settled";
    let all = "SELECT COUNT(*) FROM alarm";
    let healing = Instant::now();
    while server.number(all).await < i64::try_from(told.len()).unwrap() || server.number(open).await > 0 {
        assert!(healing.elapsed() < Duration::from_secs(40), "{} are open", server.number(open).await);
        assert!(places.iter().all(|place| !place.task.is_finished()), "a host has ended");
        sleep(Duration::from_millis(50)).await;
    }
    for place in &places {
        place.task.abort();
    }

    let mut heard = read_all(&mut Reader::from_oldest(NodeId(999)), &mut server.line()).await;
    heard.sort_unstable();
    told.sort_unstable();
    assert_eq!(heard, told, "each alarm stands in the log once");
    let repeats = repeats(&told, &provider);
    println!("{} alarms for {} phones, {faults} faults: {repeats} rang again", told.len(), PHONES.len());
    // What was in doubt or on its way, for each fault.
    assert!(repeats <= (faults + 1) * 64 * PHONES.len(), "{repeats}");
}

/// Returns how often a phone rang again for the same alarm; each must have rung once.
fn repeats(told: &[u64], provider: &Provider) -> usize {
    let mut rings: BTreeMap<_, usize> = BTreeMap::new();
    for ring in provider.lock().unwrap().iter() {
        *rings.entry(*ring).or_default() += 1;
    }
    for event in told {
        assert!(PHONES.iter().all(|phone| rings.contains_key(&(*event, *phone))), "{event} is lost");
    }
    rings.values().map(|count| count - 1).sum()
}
