//! Default paths.

/// The daemon's configuration on a system install.
pub const SYSTEM_CONFIG: &str = "/etc/zmesd/zmesd.toml";
/// The control socket on a system install.
pub const SYSTEM_SOCKET: &str = "/run/zmesd/control.sock";
/// The state directory on a system install.
pub const SYSTEM_STATE: &str = "/var/lib/zmesd";
/// Name of the state file inside the state directory.
pub const STATE_FILE: &str = "zmesd.db";
/// Path of the configuration below `$XDG_CONFIG_HOME`.
pub const USER_CONFIG: &str = "zmesd/zmesd.toml";
/// Path of the control socket below `$XDG_RUNTIME_DIR`.
pub const USER_SOCKET: &str = "zmesd/control.sock";
/// The state directory below `$XDG_STATE_HOME`.
pub const USER_STATE: &str = "zmesd";
/// Environment variable that names the configuration file.
pub const CONFIG_ENV: &str = "ZMESD_CONFIG";
/// Environment variable that names the control socket for `zmesctl`.
pub const SOCKET_ENV: &str = "ZMESCTL_SOCKET";
