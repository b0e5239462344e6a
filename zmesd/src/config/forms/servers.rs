//! `zoneminder.server-id`: one server, or all.

use super::out_of_range;
use crate::config::problem::quotable;
use crate::config::section::{Complaint, Form, Literal};
use crate::config::shown::Shown;

/// What stands for the monitors of all servers.
const ALL: &str = "all";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum ServerChoice {
    /// `zm.conf` says which one this is.
    AsInZmConf,
    One(u32),
    All,
}

/// The id of a server, or `"all"`.
#[derive(Debug)]
pub(in crate::config) struct ServerNumber;

impl Form for ServerNumber {
    type Value = ServerChoice;

    fn read(&self, literal: Literal<'_>) -> Result<ServerChoice, Complaint> {
        match literal {
            Literal::Number(0) => Ok(ServerChoice::AsInZmConf),
            Literal::Number(number) => u32::try_from(number)
                .map(ServerChoice::One)
                .map_err(|_| out_of_range(&number.to_string(), 0, u32::MAX)),
            Literal::Text(ALL) => Ok(ServerChoice::All),
            Literal::Text(text) if text.parse::<u32>().is_ok() => {
                Err(self.mismatch(literal).hint("remove the quotes"))
            }
            Literal::Text(text) => {
                let complaint =
                    Complaint::new(format!("`{}` is neither a number nor \"{ALL}\"", quotable(text)));
                Err(complaint
                    .hint("write Servers.Id, as a number; a name belongs into zm.conf, as ZM_SERVER_NAME"))
            }
            Literal::Flag(_) | Literal::List(_) | Literal::Pairs(_) | Literal::Other(_) => {
                Err(self.mismatch(literal))
            }
        }
    }

    fn show(&self, value: &Self::Value) -> Shown {
        match value {
            ServerChoice::AsInZmConf => Shown::toml(0),
            ServerChoice::One(id) => Shown::toml(id),
            ServerChoice::All => Shown::text(ALL),
        }
    }

    fn describe(&self) -> String {
        format!("a number from 0 to {}, or \"{ALL}\"", u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_all_and_nothing_else() {
        let read = |literal| ServerNumber.read(literal).ok();
        assert_eq!(read(Literal::Number(0)), Some(ServerChoice::AsInZmConf));
        assert_eq!(read(Literal::Number(3)), Some(ServerChoice::One(3)));
        assert_eq!(read(Literal::Text("all")), Some(ServerChoice::All));
        for literal in [
            Literal::Text("All"),
            Literal::Text("nvr1"),
            Literal::Text("3"),
            Literal::Number(-1),
            Literal::Number(1 << 40),
            Literal::Flag(true),
        ] {
            assert_eq!(read(literal), None, "{literal:?}");
        }
        for choice in [ServerChoice::AsInZmConf, ServerChoice::One(7), ServerChoice::All] {
            let shown = ServerNumber.show(&choice);
            assert!(["0", "7", "\"all\""].contains(&shown.toml.as_str()), "{shown:?}");
        }
    }
}
