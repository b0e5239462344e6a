//! Compares answers to which members may be added.

use serde_json::{Value, json};

/// Returns whether `actual` has every member of `expected` with the same value; additional members are allowed.
pub fn includes(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| actual.get(key).is_some_and(|found| includes(found, value)))
        }
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len() && actual.iter().zip(expected).all(|(a, e)| includes(a, e))
        }
        _ => actual == expected,
    }
}

/// Returns the minimum content of an alarm frame: ids are strings, `events` is an array.
pub fn alarm(event: u64, monitor: u32) -> Value {
    json!({"event": "alarm", "type": "", "status": "Success",
           "events": [{"EventId": event.to_string(), "MonitorId": monitor.to_string()}]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_members_are_welcome_and_other_values_are_not() {
        let actual = json!({"a": "1", "b": [{"c": 2, "d": 3}]});
        assert!(includes(&actual, &json!({"b": [{"c": 2}]})));
        assert!(!includes(&actual, &json!({"a": 1})));
        assert!(!includes(&actual, &json!({"b": []})));
        assert!(!includes(&actual, &json!({"e": null})));
    }
}
