//! `zmesctl reload`.

use std::io;

use zmes_shared::views::{ConfigReloaded, ServedCertificate};

use crate::render::{Facts, Out, Tone, View, clean};

impl View for ConfigReloaded {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let served = self.certificate.as_ref().map(|served| certificate(served, out));
        if self.applied.is_empty() && self.needs_restart.is_empty() {
            let changes = served.unwrap_or_else(|| "Nothing has changed.".to_owned());
            return out.line(&format!("Configuration reloaded. {changes}"));
        }
        let mut facts = Facts::default();
        if !self.applied.is_empty() {
            facts.add("applied", clean(&self.applied.join(", ")));
        }
        if !self.needs_restart.is_empty() {
            let keys = clean(&self.needs_restart.join(", ")).into_owned();
            facts.add("needs a restart", out.paint(Tone::Warning, &keys));
        }
        for line in facts.lines() {
            out.line(&line)?;
        }
        served.map_or(Ok(()), |served: String| out.line(&served))
    }
}

/// Describes the certificate that apps get from now on.
fn certificate(served: &ServedCertificate, out: &Out) -> String {
    let ServedCertificate { subject, names, not_after } = served;
    let unsaid: Vec<_> =
        names.iter().filter(|name| !subject.contains(name.as_str())).map(String::as_str).collect();
    let names = if unsaid.is_empty() { String::new() } else { format!(" (also {})", unsaid.join(", ")) };
    let until = not_after.to_zoned(out.look().zone.clone()).strftime("%Y-%m-%d");
    format!("Certificate {}{}, valid until {until}, is now served.", clean(subject), clean(&names))
}
