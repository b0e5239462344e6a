//! `config show`

use zmes_shared::views::ConfigShown;

use crate::admin::AdminParts;

/// Returns the values in use, secrets hidden.
pub(super) fn show(parts: &AdminParts) -> ConfigShown {
    parts.configuration.show()
}
