//! What a client of the router got.

use super::*;

impl Client {
    /// Returns the event ids of the queued frames.
    pub(super) fn events(&mut self) -> Vec<String> {
        self.told().into_iter().map(|(event, _)| event).collect()
    }

    /// Returns the event ids of the queued frames, and `supplementary` of each.
    pub(super) fn told(&mut self) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        while let Ok(outgoing) = self.outbox.try_recv() {
            let text = match outgoing {
                Outgoing::Frame(text) => text,
                Outgoing::Tracked(tracked) => tracked.0,
            };
            let frame: Value = serde_json::from_str(&text).unwrap();
            let event = frame["events"][0]["EventId"].as_str().unwrap().to_owned();
            events.push((event, frame["supplementary"].clone()));
        }
        events
    }

    pub(super) async fn kicked(self) -> CloseReason {
        timeout(Duration::from_secs(5), self.kick).await.unwrap().unwrap()
    }
}
