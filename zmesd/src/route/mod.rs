//! The router: who gets which alarm. [`router`] is its task; the rest are its tables, the pure [`policy`] and the tap.

mod attachments;
mod better;
mod decided;
mod devices;
mod ends;
#[cfg(test)]
mod fakes;
mod handle;
mod import;
mod labels;
mod ledger;
mod missed;
mod orders;
mod outlet;
mod owners;
mod pace;
mod policy;
mod registration;
mod revalidate;
mod router;
mod rule_hits;
mod rules;
mod sessions;
mod snooze_handle;
mod snoozes;
mod tap;
#[cfg(test)]
mod tests;
mod token_handle;
mod tokens;
mod trouble_handle;
mod unlabelled;

pub use better::{BetterPicture, PictureCommand, PictureRequest, PictureRequests};
pub use decided::{AlarmDecisions, DecidedToken};
pub use devices::SessionEnd;
pub use handle::{
    AlarmTarget, AlarmTestReport, AlarmTestRequest, Busy, Census, ClientPage, CloseReason, FailedLogin,
    NewLogin, Outgoing, RouterCommand, RouterHandle, SessionOpening, TestTarget, Visibility, WriteReport,
};
pub use labels::{LabelCommand, LabelReport, LabelRequest, LabelRequests};
pub use ledger::{
    AlarmBody, LedgerCommand, LedgerDecided, LedgerEnding, LedgerNews, LedgerOutcome, LedgerQuestion,
    LedgerSide, PusherLegacy, ScopeElsewhere, SnoozeElsewhere, TokenElsewhere,
};
pub use orders::{
    OrderReceiver, OrderSender, PushBatch, PushDelivery, PushEnding, PushOrder, PushReceipt, push_orders,
};
pub use outlet::Outlet;
pub use router::{Router, RouterParts};
pub use rule_hits::{RuleHits, RulesInUse, RulesReply};
pub use rules::PushRules;
pub use snooze_handle::{LinkSnooze, LinkSnoozed, SnoozeAuthor, SnoozeCommand};
pub use snoozes::{MAX_SNOOZES, SnoozeSummary, TooManySnoozes};
pub use tap::{
    AnnouncedAlarm, PushOutcome, SessionChange, Tap, TapEvent, TapReceiver, TokenChange, TroubleTold,
};
pub use token_handle::{LinkUser, RecentDecisions, SessionDecision, TokenCommand, TokenImported, ToldLater};
pub use trouble_handle::{TroubleCommand, TroubleMessage};
