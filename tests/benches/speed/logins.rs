//! How long wrong logins take, by the reason: the time must not reveal which user names exist.
//!
//! One class after the other, over and over, so that whatever else the machine does falls on all alike. Each sample
//! comes from an address of its own with a password of its own: no limit and no memory of wrong ones plays a part.
//! AUC is the chance that a sample of one class takes longer than one of the other, whichever way round: 0.5 means that
//! the two cannot be told apart.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::time::Instant;
use zmes_tests::{AppClient, Endpoint, UserRow};

use crate::Plan;
use crate::report::Report;
use crate::scene::Scene;

const BENCH: &str = "logins";
/// Samples of each class.
const SAMPLES: usize = 200;
/// `password` with the costs of PHP 5.5 to 8.3 and of PHP 8.4.
const COST_10: &str = "$2y$10$zmesdzmesdzmesdzmesdzef5Gy7ng5eh6M1k6qA2E7OOBeBKdJt6C";
const COST_12: &str = "$2y$12$zmesdzmesdzmesdzmesdzeoNs0CYROV4lAJOffOrjRj776Ct55Rou";

/// (reason, user, password; `None`: a wrong one)
const CLASSES: [(&str, &str, Option<&str>); 7] = [
    ("no such user", "nobody", None),
    ("wrong password, cost 12", "new", None),
    ("wrong password, cost 10", "usual", None),
    ("wrong password, MySQL's hash", "old", None),
    ("wrong password, disabled user", "gone", None),
    ("right password, disabled user", "gone", Some("password")),
    ("password stored in plain text", "plain", Some("password")),
];

pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let settings = [("server", "trusted-proxies", "[\"127.0.0.0/8\"]")];
    let users = [
        UserRow::new("new", "").stored(COST_12),
        UserRow::new("usual", "").stored(COST_10),
        UserRow::new("old", "password"),
        UserRow::new("gone", "").stored(COST_10).disabled(),
        UserRow::new("plain", "").stored("password"),
    ];
    let town = |builder| users.into_iter().fold(builder, zmes_tests::WorldBuilder::user);
    let scene = Scene::start_with(1, &settings, town).await?;
    let endpoint = scene.world.endpoint().await?;
    let rounds = plan.samples.min(SAMPLES);
    let mut taken: Vec<Vec<Duration>> = vec![Vec::new(); CLASSES.len()];
    let mut number: u32 = 0;
    for _ in 0..rounds {
        for ((_, user, password), samples) in CLASSES.iter().zip(&mut taken) {
            number += 1;
            samples.push(sample(&endpoint, number, user, *password).await?);
        }
    }
    let (first, rest) = taken.split_at(1);
    let nobody = first.first().map_or(&[][..], Vec::as_slice);
    report.add(BENCH, format!("{}, p50", CLASSES[0].0), median(nobody), "ms", None);
    for ((what, ..), samples) in CLASSES.iter().skip(1).zip(rest) {
        report.add(BENCH, format!("{what}, p50"), median(samples), "ms", None);
        report.add(BENCH, format!("{what}: AUC"), auc(nobody, samples), "", Some(0.6));
    }
    Ok(())
}

/// Returns how long one wrong login takes, from `auth` to BADAUTH.
async fn sample(endpoint: &Endpoint, number: u32, user: &str, password: Option<&str>) -> Result<Duration> {
    let [_, high, middle, low] = number.to_be_bytes();
    let address = format!("10.{high}.{middle}.{low}");
    let mut app = AppClient::connect_with(endpoint, &[("x-forwarded-for", &address)]).await?;
    let wrong = format!("wrong{number}");
    let begun = Instant::now();
    app.send_auth(user, password.unwrap_or(&wrong)).await?;
    let answer = app.next_json().await?;
    let taken = begun.elapsed();
    ensure!(answer["reason"] == json!("BADAUTH"), "{user}: {answer}");
    Ok(taken)
}

/// Returns the median in milliseconds.
fn median(samples: &[Duration]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).map_or(0.0, |median| median.as_secs_f64() * 1000.0)
}

/// Returns the chance of telling two classes apart by one sample of each, from 0.5 to 1.
#[expect(clippy::cast_precision_loss, reason = "some ten thousand pairs")]
fn auc(one: &[Duration], other: &[Duration]) -> f64 {
    let longer = one.iter().flat_map(|a| other.iter().map(move |b| a.cmp(b)));
    let won: f64 = longer.map(|order| f64::midpoint(f64::from(order as i8), 1.0)).sum();
    let share = won / (one.len() * other.len()).max(1) as f64;
    share.max(1.0 - share)
}
