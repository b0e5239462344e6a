//! `config show`

use zmes_shared::views::ConfigShown;

use crate::control::ControlParts;

/// Returns the values in force, secrets hidden.
pub(super) fn show(parts: &ControlParts) -> ConfigShown {
    parts.configuration.show()
}
