//! Who may call what: one table, read by the guard before any handler runs, by the API's description and by the test that
//! walks it. An endpoint that is not in the table is refused.

use oriel_model::{Permission, Role};
use utoipa::openapi::path::HttpMethod;

/// Where the API lives.
pub const BASE: &str = "/api/v1";

/// Who may call an endpoint. Which roles have which permission is one table, too: [`oriel_model::Role::gives`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody whose password was right, even before they have shown their second factor.
    Arriving,
    /// Anybody who is signed in, even with a password that must be changed first or a session that is locked.
    Entering,
    /// Anybody who is signed in.
    SignedIn,
    /// Whose role gives this everywhere.
    May(Permission),
    /// Whose role gives this for some pools at least: the handler leaves the others' out.
    Somewhere(Permission),
    /// Whose role gives this for the pool that the path names.
    Pool(Permission),
    /// Who may use the pool that the path names, and whose role gives this for it. For everybody else the pool does not exist.
    Entitled(Permission),
    /// Whose role gives this for the pool of the machine that the path names.
    Machine(Permission),
    /// The desktop's owner, for an external machine without one whoever may use its pool, and whose role gives this for its pool.
    /// Everybody else does not learn that the desktop exists.
    Desktop(Permission),
    /// Whose role gives this for the desktop's pool; its owner has no say in it.
    DesktopAs(Permission),
    /// Whose role gives this for the pool of the connection that the path names.
    Session(Permission),
    /// Whoever asked for the ticket, from the same session.
    Ticket,
    /// Whoever has the ticket of somebody without an account, from a page of this server. It leads to one viewer, and to nothing else.
    GuestTicket,
    /// Whose connection it is; the handler looks. For everybody else, admins too, it does not exist.
    OwnSession,
}

impl Access {
    /// For the API's description.
    pub fn sentence(self) -> String {
        let roles = |permission: Permission| {
            let roles: Vec<&str> = Role::ALL
                .iter()
                .filter(|role| role.gives(permission))
                .map(|role| match role {
                    Role::PoolAdmin if permission.is_of_pools() => "pool_admin (for their pools)",
                    Role::PoolAdmin => "pool_admin",
                    Role::Helpdesk => "helpdesk",
                    Role::Auditor => "auditor",
                    Role::Admin => "admin",
                    Role::User => "user",
                })
                .collect();
            format!("whose role gives `{permission}`: {}", roles.join(", "))
        };
        match self {
            Self::Public => "Anybody may call it.".to_owned(),
            Self::Arriving => {
                "Anybody whose password was right may call it, even before they have shown their second factor.".to_owned()
            }
            Self::Entering => {
                "Anybody who is signed in may call it, even before a first password is changed and while their session is locked."
                    .to_owned()
            }
            Self::SignedIn => "Anybody who is signed in may call it.".to_owned(),
            Self::May(permission)
            | Self::Somewhere(permission)
            | Self::Pool(permission)
            | Self::Machine(permission)
            | Self::DesktopAs(permission)
            | Self::Session(permission) => format!("Only they may call it {}.", roles(permission)),
            Self::Desktop(permission) => format!(
                "The desktop's owner may call it (of an external machine without one: whoever may use its pool), and they {}. For whoever may not see it the desktop does not exist (404).",
                roles(permission)
            ),
            Self::Entitled(permission) => format!(
                "Whoever may use the pool may call it, and they {}. For everybody else the pool does not exist (404).",
                roles(permission)
            ),
            Self::OwnSession => {
                "Only the person whose connection it is may call it; for everybody else it does not exist (404).".to_owned()
            }
            Self::GuestTicket => {
                "Only whoever has the ticket may call it, from a page of this server; nobody need be signed in.".to_owned()
            }
            Self::Ticket => {
                "Only the session that asked for the ticket may call it, from a page of this server.".to_owned()
            }
        }
    }

    /// What a token must include that is kept to some permissions. `None`: it may only read here.
    pub const fn permission(self) -> Option<Permission> {
        match self {
            Self::May(permission)
            | Self::Somewhere(permission)
            | Self::Pool(permission)
            | Self::Entitled(permission)
            | Self::Machine(permission)
            | Self::Desktop(permission)
            | Self::DesktopAs(permission)
            | Self::Session(permission) => Some(permission),
            Self::Ticket => Some(P::DesktopsUse),
            Self::Public | Self::Arriving | Self::Entering | Self::SignedIn | Self::GuestTicket | Self::OwnSession => {
                None
            }
        }
    }
}

use Access::{
    Arriving, Desktop, DesktopAs, Entering, Entitled, GuestTicket, Machine, May, OwnSession, Pool, Public, Session,
    SignedIn, Somewhere, Ticket,
};
use HttpMethod::{Delete, Get, Patch, Post, Put};
use Permission as P;

/// The table. Paths are below [`BASE`].
const TABLE: &[(HttpMethod, &str, Access)] = &[
    (Post, "/login", Public),
    (Get, "/sign-in/oidc", Public),
    (Post, "/sign-in/oidc/{id}", Public),
    (Get, "/sign-in/oidc/{id}/callback", Public),
    (Get, "/sign-in/proxy", Public),
    (Post, "/sign-in/passkey", Public),
    (Post, "/sign-in/passkey/finish", Public),
    (Post, "/logout", Arriving),
    (Get, "/me", Arriving),
    (Post, "/me/second-factor", Arriving),
    (Post, "/me/second-factor/totp", Arriving),
    (Post, "/me/second-factor/totp/confirm", Arriving),
    (Post, "/me/second-factor/passkey", Arriving),
    (Post, "/me/second-factor/passkey/finish", Arriving),
    (Post, "/me/passkeys/new", Arriving),
    (Post, "/me/passkeys", Arriving),
    (Post, "/me/passkeys/{passkey}/remove", SignedIn),
    (Get, "/me/second-factor", SignedIn),
    (Post, "/me/second-factor/remove", SignedIn),
    (Post, "/me/second-factor/recovery-codes", SignedIn),
    (Delete, "/me/browsers/{browser}", SignedIn),
    (Post, "/me/password", Entering),
    (Post, "/me/unlock", Entering),
    (Get, "/users", May(P::PeopleRead)),
    (Post, "/users", May(P::PeopleWrite)),
    (Patch, "/users/{id}", May(P::PeopleWrite)),
    (Delete, "/users/{id}", May(P::PeopleWrite)),
    (Get, "/users/{id}/second-factor", May(P::PeopleRead)),
    (Delete, "/users/{id}/second-factor", May(P::PeopleWrite)),
    (Get, "/groups", May(P::PeopleRead)),
    (Post, "/groups", May(P::PeopleWrite)),
    (Get, "/groups/{id}", May(P::PeopleRead)),
    (Patch, "/groups/{id}", May(P::PeopleWrite)),
    (Delete, "/groups/{id}", May(P::PeopleWrite)),
    (Put, "/groups/{id}/members/{user_id}", May(P::PeopleWrite)),
    (Delete, "/groups/{id}/members/{user_id}", May(P::PeopleWrite)),
    (Get, "/quotas", May(P::PeopleRead)),
    (Put, "/quotas/everyone", May(P::PeopleWrite)),
    (Delete, "/quotas/everyone", May(P::PeopleWrite)),
    (Put, "/groups/{id}/quota", May(P::PeopleWrite)),
    (Delete, "/groups/{id}/quota", May(P::PeopleWrite)),
    (Get, "/users/{id}/quota", May(P::PeopleRead)),
    (Put, "/users/{id}/quota", May(P::PeopleWrite)),
    (Delete, "/users/{id}/quota", May(P::PeopleWrite)),
    (Put, "/pools/{id}/quota", Pool(P::PoolsWrite)),
    (Delete, "/pools/{id}/quota", Pool(P::PoolsWrite)),
    (Get, "/me/quota", SignedIn),
    (Get, "/bookings", SignedIn),
    (Delete, "/bookings/{id}", SignedIn),
    (Get, "/me/bookings", SignedIn),
    (Post, "/pools/{id}/bookings", Entitled(P::DesktopsUse)),
    (Get, "/pools/{id}/bookings", Entitled(P::DesktopsUse)),
    (Get, "/personal-disks", May(P::PeopleRead)),
    (Get, "/personal-disks/{id}", May(P::PeopleRead)),
    (Patch, "/personal-disks/{id}", May(P::PeopleWrite)),
    (Delete, "/personal-disks/{id}", May(P::PeopleWrite)),
    (Post, "/personal-disks/{id}/snapshots", May(P::PeopleWrite)),
    (Post, "/personal-disks/{id}/snapshots/{snapshot}/restore", May(P::PeopleWrite)),
    (Delete, "/personal-disks/{id}/snapshots/{snapshot}", May(P::PeopleWrite)),
    // Whoever has a copy has everything that its person keeps.
    (Post, "/personal-disks/{id}/export", May(P::PeopleWrite)),
    (Get, "/personal-disks/{id}/export", May(P::PeopleWrite)),
    (Delete, "/personal-disks/{id}/export", May(P::PeopleWrite)),
    (Get, "/directories", May(P::PeopleRead)),
    (Post, "/directories", May(P::PeopleWrite)),
    (Get, "/directories/{id}", May(P::PeopleRead)),
    (Patch, "/directories/{id}", May(P::PeopleWrite)),
    (Delete, "/directories/{id}", May(P::PeopleWrite)),
    // It is asked for that, with what is kept for it.
    (Post, "/directories/{id}/test", May(P::PeopleWrite)),
    (Get, "/providers", May(P::PeopleRead)),
    (Post, "/providers", May(P::PeopleWrite)),
    (Get, "/providers/{id}", May(P::PeopleRead)),
    (Patch, "/providers/{id}", May(P::PeopleWrite)),
    (Delete, "/providers/{id}", May(P::PeopleWrite)),
    // It is asked for that, with what is kept for it.
    (Post, "/providers/{id}/test", May(P::PeopleWrite)),
    (Get, "/tokens", SignedIn),
    (Post, "/tokens", SignedIn),
    (Delete, "/tokens/{id}", SignedIn),
    (Get, "/images", May(P::ImagesRead)),
    (Get, "/recipes", May(P::ImagesRead)),
    (Post, "/images/build", May(P::ImagesWrite)),
    (Post, "/images/import", May(P::ImagesWrite)),
    (Delete, "/images/{id}", May(P::ImagesWrite)),
    (Get, "/pools", Somewhere(P::PoolsRead)),
    (Post, "/pools", May(P::PoolsMake)),
    (Get, "/pools/{id}", Pool(P::PoolsRead)),
    (Patch, "/pools/{id}", Pool(P::PoolsWrite)),
    (Delete, "/pools/{id}", May(P::PoolsMake)),
    (Get, "/me/pools", SignedIn),
    (Post, "/pools/{id}/take", Entitled(P::DesktopsUse)),
    (Get, "/pools/{id}/places", Pool(P::PoolsRead)),
    (Get, "/me/apps", SignedIn),
    (Get, "/me/apps/{app}/icon", SignedIn),
    (Get, "/pools/{id}/apps", Pool(P::PoolsRead)),
    (Get, "/pools/{id}/apps/{app}/icon", Pool(P::PoolsRead)),
    (Post, "/pools/{id}/apps", Pool(P::PoolsWrite)),
    (Patch, "/pools/{id}/apps/{app}", Pool(P::PoolsWrite)),
    (Delete, "/pools/{id}/apps/{app}", Pool(P::PoolsWrite)),
    (Get, "/pools/{id}/rollout", Pool(P::PoolsRead)),
    (Post, "/pools/{id}/rollout", Pool(P::PoolsWrite)),
    (Delete, "/pools/{id}/rollout", Pool(P::PoolsWrite)),
    (Post, "/pools/{id}/rollout/pause", Pool(P::PoolsWrite)),
    (Post, "/pools/{id}/rollout/resume", Pool(P::PoolsWrite)),
    (Post, "/pools/{id}/rollout/cancel", Pool(P::PoolsWrite)),
    (Post, "/pools/{id}/rollback", Pool(P::PoolsWrite)),
    (Put, "/pools/{id}/maintenance", Pool(P::PoolsWrite)),
    (Delete, "/pools/{id}/maintenance", Pool(P::PoolsWrite)),
    (Put, "/pools/{id}/users/{user_id}", Pool(P::PoolsWrite)),
    (Delete, "/pools/{id}/users/{user_id}", Pool(P::PoolsWrite)),
    (Put, "/pools/{id}/groups/{group_id}", Pool(P::PoolsWrite)),
    (Delete, "/pools/{id}/groups/{group_id}", Pool(P::PoolsWrite)),
    (Get, "/pools/{id}/machines", Pool(P::MachinesRead)),
    (Post, "/pools/{id}/machines", Pool(P::MachinesWrite)),
    (Get, "/machines/{id}", Machine(P::MachinesRead)),
    (Patch, "/machines/{id}", Machine(P::MachinesWrite)),
    (Delete, "/machines/{id}", Machine(P::MachinesWrite)),
    // It is dialled for that, with what is kept for it.
    (Get, "/machines/{id}/identity", Machine(P::MachinesWrite)),
    // Dialled as well: for whoever may press its buttons.
    (Get, "/machines/{id}/device", Machine(P::DesktopsOperate)),
    (Post, "/machines/{id}/device/power/{action}", Machine(P::DesktopsOperate)),
    (Post, "/machines/{id}/device/boot/{source}", Machine(P::MachinesWrite)),
    (Post, "/machines/{id}/device/switches/{channel}", Machine(P::MachinesWrite)),
    (Post, "/machines/{id}/device/drive", Machine(P::MachinesWrite)),
    (Delete, "/machines/{id}/device/images", Machine(P::MachinesWrite)),
    (Get, "/machines/{id}/device/picture", Machine(P::DesktopsUse)),
    (Get, "/machines/{id}/device/live", Machine(P::DesktopsOperate)),
    (Get, "/machines/{id}/device/log", Machine(P::MachinesWrite)),
    (Get, "/machines/{id}/device/upload", Machine(P::MachinesWrite)),
    (Put, "/machines/{id}/device/upload", Machine(P::MachinesWrite)),
    (Delete, "/machines/{id}/device/upload", Machine(P::MachinesWrite)),
    (Post, "/machines/{id}/device/fetch", Machine(P::MachinesWrite)),
    // Those of pools that are theirs to operate.
    (Get, "/devices", Somewhere(P::DesktopsOperate)),
    (Get, "/desktops", SignedIn),
    (Post, "/desktops", Somewhere(P::DesktopsWrite)),
    (Get, "/desktops/{id}", Desktop(P::DesktopsRead)),
    (Delete, "/desktops/{id}", DesktopAs(P::DesktopsWrite)),
    (Post, "/desktops/{id}/start", Desktop(P::DesktopsOperate)),
    (Post, "/desktops/{id}/stop", Desktop(P::DesktopsOperate)),
    (Post, "/desktops/{id}/cut", Desktop(P::DesktopsOperate)),
    (Post, "/desktops/{id}/restart", Desktop(P::DesktopsOperate)),
    (Post, "/desktops/{id}/recycle", DesktopAs(P::DesktopsWrite)),
    (Post, "/desktops/{id}/capture", DesktopAs(P::DesktopsWrite)),
    (Get, "/desktops/{id}/machine", DesktopAs(P::DesktopsWrite)),
    (Post, "/desktops/{id}/resize", DesktopAs(P::DesktopsWrite)),
    (Post, "/desktops/{id}/resize/confirm", DesktopAs(P::DesktopsWrite)),
    (Post, "/desktops/{id}/resize/revert", DesktopAs(P::DesktopsWrite)),
    (Post, "/desktops/{id}/migrate", DesktopAs(P::DesktopsWrite)),
    (Post, "/desktops/{id}/snapshots", DesktopAs(P::DesktopsWrite)),
    (Post, "/desktops/{id}/snapshots/{snapshot}/restore", DesktopAs(P::DesktopsWrite)),
    (Delete, "/desktops/{id}/snapshots/{snapshot}", DesktopAs(P::DesktopsWrite)),
    (Put, "/desktops/{id}/drain", DesktopAs(P::DesktopsOperate)),
    (Delete, "/desktops/{id}/drain", DesktopAs(P::DesktopsOperate)),
    (Post, "/desktops/{id}/connect", Desktop(P::DesktopsUse)),
    (Get, "/desktops/{id}/thumbnail", Desktop(P::DesktopsUse)),
    (Get, "/desktops/{id}/drive", Desktop(P::DesktopsUse)),
    (Post, "/desktops/{id}/drive", Desktop(P::DesktopsUse)),
    (Put, "/desktops/{id}/drive/image", Desktop(P::DesktopsUse)),
    (Delete, "/desktops/{id}/drive/image", Desktop(P::DesktopsUse)),
    // A CD has all of the disk before it, whatever its system lets its person do.
    (Put, "/desktops/{id}/drive/start", DesktopAs(P::DesktopsWrite)),
    (Delete, "/desktops/{id}/drive/start", DesktopAs(P::DesktopsWrite)),
    (Get, "/desktops/{id}/files", Desktop(P::DesktopsUse)),
    (Delete, "/desktops/{id}/files", Desktop(P::DesktopsUse)),
    (Get, "/desktops/{id}/files/entry", Desktop(P::DesktopsUse)),
    (Post, "/desktops/{id}/files/move", Desktop(P::DesktopsUse)),
    (Post, "/desktops/{id}/files/folder", Desktop(P::DesktopsUse)),
    (Get, "/desktops/{id}/files/content", Desktop(P::DesktopsUse)),
    (Get, "/desktops/{id}/files/upload", Desktop(P::DesktopsUse)),
    (Put, "/desktops/{id}/files/upload", Desktop(P::DesktopsUse)),
    (Delete, "/desktops/{id}/files/upload", Desktop(P::DesktopsUse)),
    (Get, "/operations", May(P::OperationsRead)),
    (Get, "/operations/{id}", May(P::OperationsRead)),
    (Post, "/operations/{id}/cancel", May(P::OperationsWrite)),
    (Post, "/operations/{id}/resume", May(P::OperationsWrite)),
    (Get, "/sessions", Somewhere(P::SessionsRead)),
    (Get, "/sessions/{id}", Session(P::SessionsRead)),
    (Delete, "/sessions/{id}", Session(P::SessionsEnd)),
    // Who may end it may say so first.
    (Post, "/sessions/{id}/message", Session(P::SessionsEnd)),
    (Post, "/sessions/{id}/shadow", Session(P::SessionsShadow)),
    (Get, "/sessions/{id}/invites", OwnSession),
    (Post, "/sessions/{id}/invites", OwnSession),
    (Delete, "/sessions/{id}/invites/{invite}", OwnSession),
    (Post, "/invites/{token}/connect", SignedIn),
    // With the secret of an invitation for them; those who guess are slowed down.
    (Post, "/guests/knock", Public),
    (Get, "/guests/connect/{ticket}", GuestTicket),
    (Get, "/recordings", May(P::RecordingsRead)),
    (Get, "/recordings/{id}", May(P::RecordingsRead)),
    (Delete, "/recordings/{id}", May(P::RecordingsWrite)),
    (Get, "/recordings/{id}/index", May(P::RecordingsRead)),
    (Get, "/recordings/{id}/content", May(P::RecordingsRead)),
    (Get, "/recordings/{id}/exports", May(P::RecordingsRead)),
    (Post, "/recordings/{id}/exports", May(P::RecordingsRead)),
    (Delete, "/recordings/{id}/exports/{export}", May(P::RecordingsRead)),
    (Get, "/recordings/{id}/exports/{export}/content", May(P::RecordingsRead)),
    (Get, "/audit", May(P::AuditRead)),
    (Get, "/audit/check", May(P::AuditRead)),
    (Get, "/syslogs", May(P::AuditRead)),
    (Post, "/syslogs", May(P::WebhooksWrite)),
    (Delete, "/syslogs/{id}", May(P::WebhooksWrite)),
    // It is sent something for that.
    (Post, "/syslogs/{id}/test", May(P::WebhooksWrite)),
    (Get, "/webhooks", May(P::AuditRead)),
    (Post, "/webhooks", May(P::WebhooksWrite)),
    (Delete, "/webhooks/{id}", May(P::WebhooksWrite)),
    // It is sent something for that.
    (Post, "/webhooks/{id}/test", May(P::WebhooksWrite)),
    (Get, "/gpus", May(P::GpusRead)),
    (Get, "/gpus/{address}", May(P::GpusRead)),
    (Get, "/gpus/{address}/findings", May(P::GpusRead)),
    (Post, "/gpus/{address}/plan", May(P::GpusWrite)),
    (Post, "/gpus/{address}/mode", May(P::GpusWrite)),
    (Get, "/gpu-turns", May(P::GpusRead)),
    (Post, "/gpu-turns", May(P::GpusWrite)),
    (Delete, "/gpu-turns/{id}", May(P::GpusWrite)),
    (Get, "/clouds", May(P::HostRead)),
    (Post, "/clouds", May(P::CloudsWrite)),
    (Get, "/clouds/{id}", May(P::HostRead)),
    (Put, "/clouds/{id}", May(P::CloudsWrite)),
    (Delete, "/clouds/{id}", May(P::CloudsWrite)),
    // It is asked for that, with what is kept for it.
    (Post, "/clouds/{id}/test", May(P::CloudsWrite)),
    (Get, "/clouds/{id}/offer", May(P::PoolsMake)),
    (Put, "/clouds/{id}/images/{image}", May(P::CloudsWrite)),
    (Post, "/clouds/{id}/images/{image}", May(P::CloudsWrite)),
    (Delete, "/clouds/{id}/images/{image}", May(P::CloudsWrite)),
    (Post, "/clouds/{id}/hosts/{host}/empty", May(P::HostWrite)),
    (Delete, "/clouds/{id}/hosts/{host}/empty", May(P::HostWrite)),
    (Get, "/hosts", May(P::HostRead)),
    (Get, "/hosts/{id}", May(P::HostRead)),
    (Put, "/hosts/{id}/maintenance", May(P::HostWrite)),
    (Delete, "/hosts/{id}/maintenance", May(P::HostWrite)),
    (Get, "/dashboard", May(P::HostRead)),
    (Get, "/host", May(P::HostRead)),
    (Get, "/doctor", May(P::HostRead)),
    (Get, "/reconcilers", May(P::HostRead)),
    (Get, "/secrets", May(P::HostRead)),
    (Post, "/secrets/rotate", May(P::SecretsWrite)),
    (Get, "/connect/{ticket}", Ticket),
    (Get, "/openapi.json", Public),
    (Get, "/health", Public),
    (Get, "/health/ready", Public),
    (Get, "/metrics", May(P::HostRead)),
];

/// Who may call this endpoint; `path` with [`BASE`] and parameters as the router writes them.
pub fn of(method: &HttpMethod, path: &str) -> Option<Access> {
    let path = path.strip_prefix(BASE)?;
    TABLE.iter().find(|(m, p, _)| m == method && *p == path).map(|(_, _, access)| *access)
}

/// As [`of`], for a request.
pub fn of_request(method: &axum::http::Method, path: &str) -> Option<Access> {
    use axum::http::Method;
    let method = match *method {
        // HEAD is GET without the body.
        Method::GET | Method::HEAD => Get,
        Method::POST => Post,
        Method::PUT => Put,
        Method::PATCH => Patch,
        Method::DELETE => Delete,
        _ => return None,
    };
    of(&method, path)
}
