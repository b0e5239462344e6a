//! Log lines as JSON objects, one a line, for collectors.
//!
//! The library's own JSON leaves out the causes of an error.

use std::error::Error;
use std::fmt::{self, Debug};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};
use zmes_shared::text::json_safe;

use super::fields::Chain;

/// Formats an event as `{"timestamp":…,"level":…,"target":…,"message":…,<fields>,"spans":[…]}`.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonLine;

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let mut line = fields.0;
        // A field of one of these names would make two members of one name: the line's own head wins.
        line.insert("timestamp".to_owned(), timestamp.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        let mut spans = Vec::new();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            let fields = fields.and_then(|fields| serde_json::from_str(fields).ok());
            let mut members: Map<String, Value> = fields.unwrap_or_default();
            members.insert("name".to_owned(), span.name().into());
            spans.push(Value::Object(members));
        }
        if !spans.is_empty() {
            line.insert("spans".to_owned(), spans.into());
        }
        writeln!(writer, "{}", json_safe(&Value::Object(line).to_string()))
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let name = field.name();
        if !name.starts_with("log.") {
            self.0.insert(name.trim_start_matches("r#").to_owned(), value.into());
        }
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, Chain(value).to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::tests::Lines;

    use super::*;

    #[test]
    fn a_line_is_one_object_with_its_causes_and_spans() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read x")]
        struct Outer(#[source] std::io::Error);
        let lines = Lines::default();
        let layer = super::super::json(lines.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("session", user = "amy");
            let _entered = span.enter();
            let error = Outer(std::io::Error::other("bad disk"));
            let error = &error as &dyn Error;
            tracing::warn!(target: "zmesd::x", error, monitor = 3, camera = %"Po\nrch", "degraded");
        });
        let text = lines.text();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let mut line: Value = serde_json::from_str(&text).unwrap();
        let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        timestamp.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert_eq!(
            line,
            json!({"level": "WARN", "target": "zmesd::x", "message": "degraded", "monitor": 3,
                "error": "cannot read x: bad disk", "camera": "Po\nrch",
                "spans": [{"name": "session", "user": "amy"}]})
        );
    }
}
