//! `config show`

use zmes_shared::views::ConfigShown;

use crate::admin::AdminParts;

pub(super) fn show(parts: &AdminParts) -> ConfigShown {
    parts.configuration.show()
}
