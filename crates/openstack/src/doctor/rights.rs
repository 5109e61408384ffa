//! Of a cloud: what these credentials may do, and whether that is too little or too much.

use crate::{AccessRule, Client, OpenStackError, Token, access::lacking_rules};
use oriel_model::{Finding, Severity, finding};
use secrecy::SecretString;

const SOURCE: &str = "https://docs.openstack.org/keystone/latest/user/application_credentials.html#access-rules";
const CREATE: &str = super::CREATE_RULES;

fn is_admin(token: &Token) -> bool {
    token.roles.iter().any(|role| role == "admin")
}

pub fn rights(token: &Token, subject: &str) -> Vec<Finding> {
    let say = |severity, evidence: &[(&str, String)], words: String, fix: &str| {
        finding("rights", severity, subject, evidence, words, fix, SOURCE)
    };
    let Some(credential) = &token.application_credential else {
        let words = "the file holds a person's password: an application credential can do less, and be withdrawn alone"
            .to_owned();
        return vec![say(Severity::Warning, &[], words, CREATE)];
    };
    let mut findings = Vec::new();
    if !credential.restricted {
        let words = format!(
            "the application credential {} is unrestricted: who has it can make more of them, and keep them",
            credential.name
        );
        findings.push(say(Severity::Warning, &[], words, CREATE));
    }
    findings.push(match &credential.access_rules {
        None => {
            let words = format!(
                "the application credential {} may do whatever its user may; Oriel needs less",
                credential.name
            );
            say(Severity::Note, &[], words, CREATE)
        }
        Some(rules) => {
            let (optional, lacking): (Vec<AccessRule>, Vec<AccessRule>) =
                lacking_rules(rules, is_admin(token)).into_iter().partition(AccessRule::is_for_some);
            let evidence_of = |rules: &[AccessRule]| -> Vec<(&'static str, String)> {
                let word = |rule: &AccessRule| format!("{} {} {}", rule.service, rule.method, rule.path);
                rules.iter().map(|rule| ("lacking", word(rule))).collect()
            };
            if lacking.is_empty() && !optional.is_empty() {
                let words = format!(
                    "the access rules of {} lack {} of those for pools with floating addresses, or volumes for disks; nothing else needs them",
                    credential.name,
                    optional.len()
                );
                say(Severity::Note, &evidence_of(&optional), words, CREATE)
            } else if lacking.is_empty() {
                let words = format!(
                    "the application credential {} may do what Oriel needs, by {} access rules",
                    credential.name,
                    rules.len()
                );
                say(Severity::Ok, &[], words, "")
            } else {
                let words =
                    format!("the access rules of {} lack {} of what Oriel needs", credential.name, lacking.len());
                say(Severity::Error, &evidence_of(&lacking), words, CREATE)
            }
        }
    });
    findings
}

/// Which way to a screen there is. Nova knows a token that nobody made to nobody, and tells only admins so.
pub async fn console(client: &Client, token: &Token, subject: &str) -> Finding {
    let source = "https://docs.openstack.org/api-ref/compute/#show-console-authentication-token";
    let say = |severity, words: String, fix: &str| finding("console", severity, subject, &[], words, fix, source);
    let nobodys = SecretString::from("00000000-0000-0000-0000-000000000000");
    match client.resolve_console(&nobodys).await {
        Err(error) if error.is_gone() => {
            say(Severity::Ok, "screens of servers can be reached straight at their hosts; that needs a route from here to the hosts' VNC ports".to_owned(), "")
        }
        Err(error @ OpenStackError::Refused { status: 401, .. }) => {
            say(Severity::Note, format!("screens cannot be reached at their hosts: {error}"), &format!("the access rules lack GET /v2.1/os-console-auth-tokens/*\n{CREATE}"))
        }
        Err(error) if error.is_forbidden() => {
            let role = token.roles.join(", ");
            let words = format!("screens cannot be reached at their hosts: that is for admins, and this is {role}; desktops are reached by their own addresses (RDP, SSH, VNC)");
            say(Severity::Note, words, "give the account a role that Nova's policy os_compute_api:os-console-auth-tokens lets in, if screens are wanted")
        }
        Err(error) => say(Severity::Warning, error.to_string(), "the log of nova-api says why"),
        Ok(_) => say(Severity::Warning, "Nova knows a token that nobody made".to_owned(), "is it really Nova that answers there?"),
    }
}
