//! The stand-ins for the push providers: good requests are accepted, each violation is noticed, each behaviour happens.

mod apns;
mod behaviours;
mod client;
mod fcm;
mod fcm_function;
mod push_proxy;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zmes_tests::standin::{Contract, StandIn};

/// Sets the value at a JSON pointer, or removes it.
fn changed(body: &Value, pointer: &str, value: Option<&Value>) -> Result<Value> {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').context("no pointer")?;
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut).context("nothing there")?;
    match value {
        Some(value) => drop(parent.insert(name.to_owned(), value.clone())),
        None => drop(parent.remove(name).with_context(|| format!("there is no {pointer}"))?),
    }
    Ok(body)
}

/// Fails unless `status` refuses and exactly the violations from `known` on name `word`.
fn ensure_noticed<C: Contract>(standin: &StandIn<C>, known: usize, status: u16, word: &str) -> Result<()> {
    let violations = standin.violations();
    let new = violations.get(known..).unwrap_or_default();
    ensure!((400..500).contains(&status), "{word}: answered {status}");
    ensure!(!new.is_empty() && new.iter().any(|violation| violation.contains(word)), "{word}: {new:?}");
    Ok(())
}
