//! `zmesctl tokens export`: the tokens as a `tokens.txt` that older event servers read.

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use zmes_shared::control::{Request, TokenRecord};
use zmes_shared::views::TokensExported;

use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::exit::Exit;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens export > tokens.txt
  zmesctl tokens export --format colon > tokens.txt    for servers before 6.0

Protect the file like passwords: anyone who has a token can send to the phone.
The format does not contain the users who registered the tokens.")]
pub struct ExportArgs {
    /// File format: json for event servers from 6.0 on, colon for older ones
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ExportFormat::Json)]
    format: ExportFormat,
}

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    // No doc comments: clap would spread the help over twice the lines to print them.
    Json,
    Colon,
}

pub(super) async fn run(arguments: ExportArgs, context: &mut Context) -> Outcome {
    let mut daemon = context.connect().await?;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page: TokensExported = daemon.request(Request::TokensExport { after }).await?;
        all.extend(page.tokens);
        match page.next {
            Some(next) if after.is_none_or(|before| before < next) => after = Some(next),
            Some(_) | None => break,
        }
    }
    let written = match arguments.format {
        ExportFormat::Json => {
            let document = document(&all, context.environment.now, &context.environment.zone);
            context.out.document(&document)
        }
        ExportFormat::Colon => all.iter().try_for_each(|record| context.out.line(&line(record))),
    };
    written.map_err(CliError::Output)?;
    Ok(Exit::Done)
}

fn document(tokens: &[TokenRecord], now: Timestamp, zone: &TimeZone) -> Value {
    // The month in which pushes are counted, 0 to 11, in local time.
    let month = now.to_zoned(zone.clone()).month() - 1;
    let mut members = Map::new();
    for record in tokens {
        let TokenRecord { token, monlist, intlist, platform, pushstate, appversion, profile } = record;
        let appversion = if appversion.is_empty() { "unknown" } else { appversion };
        let mut member = json!({
            "monlist": monlist,
            "intlist": intlist,
            "platform": platform,
            "pushstate": pushstate,
            "appversion": appversion,
            "invocations": {"count": 0, "at": month},
        });
        if !profile.is_empty() {
            member["profile"] = json!(profile);
        }
        members.insert(token.clone(), member);
    }
    json!({ "tokens": members })
}

fn line(record: &TokenRecord) -> String {
    let TokenRecord { token, monlist, intlist, platform, pushstate, .. } = record;
    format!("{token}:{monlist}:{intlist}:{platform}:{pushstate}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import;

    fn records() -> Vec<TokenRecord> {
        let record = |token: &str, monlist: &str, platform: &str| TokenRecord {
            token: token.to_owned(),
            monlist: monlist.to_owned(),
            intlist: monlist.replace(|digit: char| digit.is_ascii_digit(), "0"),
            platform: platform.to_owned(),
            pushstate: "enabled".to_owned(),
            ..TokenRecord::default()
        };
        vec![record("a:b", "1,2", "android"), record("c", "", "ios")]
    }

    #[test]
    fn what_is_exported_is_imported_as_it_was() {
        let json = document(&records(), Timestamp::UNIX_EPOCH, &TimeZone::UTC).to_string();
        let colon = records().iter().map(line).collect::<Vec<_>>().join("\n");
        for text in [json, colon] {
            let parsed = import::parse(text.as_bytes()).unwrap();
            let back: Vec<_> = parsed.entries.into_iter().map(|entry| entry.content.unwrap()).collect();
            assert_eq!(back, records(), "{text}");
        }
    }
}
