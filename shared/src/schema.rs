//! The JSON schema of the control protocol, the source of `shared/control.schema.json`.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Value, json};

use crate::control::{ClientFrame, Hello, ServerFrame, WatchEvent};
use crate::machine::MachineMessage;
use crate::views;

/// Returns the schema: lines of both sides, `requests` as the daemon parses them, `answers` as it writes them.
pub fn control() -> Value {
    let mut requests = generator(SchemaSettings::draft2020_12().for_deserialize(), "/requests");
    name::<ClientFrame>(&mut requests);
    let mut answers = generator(SchemaSettings::draft2020_12().for_serialize(), "/answers");
    for name in [
        name::<Hello>,
        name::<ServerFrame>,
        name::<WatchEvent>,
        name::<MachineMessage>,
        name::<views::AlarmForced>,
        name::<views::AlarmTested>,
        name::<views::Check>,
        name::<views::Clients>,
        name::<views::ClusterStatus>,
        name::<views::ConfigReloaded>,
        name::<views::ConfigShown>,
        name::<views::Deliveries>,
        name::<views::Doctor>,
        name::<views::Done>,
        name::<views::Latency>,
        name::<views::LogLevel>,
        name::<views::Monitors>,
        name::<views::PushCheck>,
        name::<views::PushQueue>,
        name::<views::PushRetried>,
        name::<views::Rejected>,
        name::<views::Reloaded>,
        name::<views::Rules>,
        name::<views::RulesTested>,
        name::<views::Snoozes>,
        name::<views::SnoozesChanged>,
        name::<views::Status>,
        name::<views::TokenShown>,
        name::<views::Tokens>,
        name::<views::TokensChanged>,
        name::<views::TokensExported>,
        name::<views::TokensImported>,
        name::<views::Why>,
    ] {
        name(&mut answers);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Control protocol of zmesd: one line of a client or of the daemon",
        "anyOf": [
            { "$ref": "#/requests/ClientFrame" },
            { "$ref": "#/answers/Hello" },
            { "$ref": "#/answers/ServerFrame" },
        ],
        "requests": requests.take_definitions(true),
        "answers": answers.take_definitions(true),
    })
}

fn generator(mut settings: SchemaSettings, path: &'static str) -> SchemaGenerator {
    settings.definitions_path = path.into();
    settings.into_generator()
}

/// Adds a type to the definitions.
fn name<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_a_definition() {
        fn walk(value: &Value, whole: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(path) = members.get("$ref").and_then(Value::as_str) {
                        assert!(whole.pointer(path.trim_start_matches('#')).is_some(), "{path}");
                    }
                    members.values().for_each(|value| walk(value, whole));
                }
                Value::Array(elements) => elements.iter().for_each(|value| walk(value, whole)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let schema = control();
        walk(&schema, &schema);
        assert!(schema["answers"]["Status"]["properties"]["monitors"].is_object(), "{schema:#}");
        assert!(schema["requests"]["Request"]["oneOf"].is_array(), "{schema:#}");
    }
}
