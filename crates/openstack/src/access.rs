//! The smallest set of rights: access rules of an application credential.
//! <https://docs.openstack.org/keystone/latest/user/application_credentials.html#access-rules>

use crate::Service;
use serde::{Deserialize, Serialize};

/// For `openstack application credential create --access-rules FILE`.
pub const ACCESS_RULES: &str = include_str!("../access-rules.json");

/// What most catalogs call Cinder; newer ones say `block-storage`.
const VOLUMES: &str = "volumev3";
/// Only for whoever is an admin of Nova anyway.
const ADMIN_PATHS: [&str; 1] = ["/v2.1/os-console-auth-tokens/*"];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccessRule {
    #[serde(default)]
    pub service: String,
    #[serde(default)]
    pub method: String,
    /// `*` stands for one part of a path, `**` for any number of them, `{name}` for one part, too.
    #[serde(default)]
    pub path: String,
}

impl AccessRule {
    /// Only for pools that ask for floating addresses, or for volumes.
    pub fn is_for_some(&self) -> bool {
        self.service == VOLUMES || self.path.starts_with("/v2.0/floatingips")
    }

    /// Whether a rule is of that service, whatever its catalog calls it.
    fn is_of(&self, service: &str) -> bool {
        let known = |word: &str| Service::BlockStorage.types().contains(&word);
        self.service == service || (known(&self.service) && known(service))
    }
}

/// What Oriel asks of a cloud.
pub fn needed_rules() -> Vec<AccessRule> {
    serde_json::from_str(ACCESS_RULES).unwrap_or_default()
}

/// What Oriel would ask and these rules do not open. Clouds whose services lie below a path (`/compute/v2.1`) have it in their rules.
pub fn lacking_rules(granted: &[AccessRule], admin: bool) -> Vec<AccessRule> {
    needed_rules()
        .into_iter()
        .filter(|need| admin || !ADMIN_PATHS.contains(&need.path.as_str()))
        .filter(|need| {
            !granted.iter().any(|rule| {
                rule.is_of(&need.service)
                    && rule.method.eq_ignore_ascii_case(&need.method)
                    && (opens(&rule.path, &need.path) || below(&rule.path, &need.path))
            })
        })
        .collect()
}

/// Whether `/placement/allocation_candidates` means `/allocation_candidates`.
fn below(rule: &str, need: &str) -> bool {
    rule.trim_start_matches('/').split_once('/').is_some_and(|(_, rest)| opens(&format!("/{rest}"), need))
}

/// Whether every path that `need` stands for is one of `rule`'s.
fn opens(rule: &str, need: &str) -> bool {
    let parts = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    matches(&parts(rule), &parts(need))
}

fn matches(rule: &[String], need: &[String]) -> bool {
    match (rule.split_first(), need.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            // Rules are short: at most some tens of parts.
            (0..=need.len()).any(|skip| need.get(skip..).is_some_and(|need| matches(rest, need)))
        }
        (Some((first, rest)), Some((part, more))) => {
            let wild = first == "*" || (first.starts_with('{') && first.ends_with('}'));
            (wild || (first == part && part != "*")) && matches(rest, more)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_keystone_takes_and_covers_itself() {
        let needed = needed_rules();
        assert!(needed.len() > 15);
        assert_eq!(lacking_rules(&needed, true), []);
    }

    #[test]
    fn what_only_some_pools_need_is_known_by_whatever_name() {
        let needed = needed_rules();
        let (some, all): (Vec<_>, Vec<_>) = needed.clone().into_iter().partition(AccessRule::is_for_some);
        assert!(some.len() == 12 && all.len() > 30, "{some:?}");
        assert_eq!(lacking_rules(&all, true), some);
        let renamed = |rule: &AccessRule| AccessRule {
            service: rule.service.replace("volumev3", "block-storage"),
            ..rule.clone()
        };
        assert_eq!(lacking_rules(&needed.iter().map(renamed).collect::<Vec<_>>(), true), []);
    }

    #[test]
    fn rules_open_what_they_stand_for() {
        for (rule, need, opens_it) in [
            ("/v2.1/servers/*", "/v2.1/servers/*", true),
            ("/v2.1/servers/{id}/action", "/v2.1/servers/*/action", true),
            ("/v2.1/servers/**", "/v2.1/servers/*/action", true),
            ("/v2.1/**", "/v2.1/servers", true),
            ("**", "/v2.1/servers", true),
            ("/v2.1/servers/abc", "/v2.1/servers/*", false),
            ("/v2.1/servers/*", "/v2.1/servers/*/action", false),
            ("/v2.1/servers", "/v2.1/servers/*", false),
        ] {
            assert_eq!(opens(rule, need), opens_it, "{rule} {need}");
        }
        let rule = |path: &str| AccessRule { service: "placement".into(), method: "get".into(), path: path.into() };
        assert!(
            !lacking_rules(&[rule("/placement/allocation_candidates")], false)
                .iter()
                .any(|one| one.path == "/allocation_candidates")
        );
    }
}
