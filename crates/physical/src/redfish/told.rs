//! What a BMC says of a failure (DSP0266, "Error responses"; the messages of the registry `Base`), in our words.

use crate::DeviceError;
use hyper::StatusCode;
use serde_json::Value;

/// Characters of a BMC's own words that are shown.
const WORDS_MAX: usize = 300;
/// Messages that are looked through.
const MESSAGES_MAX: usize = 8;

/// For a person: bounded, and one line.
pub(super) fn words(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(WORDS_MAX).collect::<String>().trim().to_owned()
}

/// A message of a registry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Its name without registry and version: `InsufficientPrivilege`.
    pub id: String,
    pub text: String,
    pub critical: bool,
}

/// Those that say nothing, or that all is well.
fn is_idle(id: &str) -> bool {
    matches!(id, "" | "GeneralError" | "ExtendedInfo" | "Success" | "Created" | "Accepted" | "NoOperation" | "OK")
}

fn message(of: &Value) -> Told {
    let text = |name: &str| of.get(name).and_then(Value::as_str);
    // An early firmware spells it otherwise, and sends arguments without the sentence that they belong to.
    let id = text("MessageId").or_else(|| text("MessageID")).unwrap_or_default();
    let arguments = || {
        let list = of.get("MessageArgs").and_then(Value::as_array);
        let list = list.into_iter().flatten().take(MESSAGES_MAX).filter_map(Value::as_str);
        list.collect::<Vec<_>>().join(", ")
    };
    let said = text("Message").map_or_else(arguments, str::to_owned);
    let severity = text("MessageSeverity").or_else(|| text("Severity")).unwrap_or_default();
    Told {
        id: words(id.rsplit('.').next().unwrap_or_default()),
        text: words(&said),
        critical: severity.eq_ignore_ascii_case("critical"),
    }
}

/// The message that says most: the first that is about something, else the error's own.
pub(super) fn told(body: &[u8]) -> Option<Told> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let error = answer.get("error");
    let extended = error.and_then(|error| error.get("@Message.ExtendedInfo"));
    let extended = extended.or_else(|| answer.get("@Message.ExtendedInfo"));
    let list = match extended {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    };
    let mut all: Vec<Told> = list.iter().take(MESSAGES_MAX).map(message).collect();
    if let Some(at) = all.iter().position(|one| !is_idle(&one.id)) {
        return Some(all.swap_remove(at));
    }
    let of_error = error.map(|error| Told {
        id: words(error.get("code").and_then(Value::as_str).unwrap_or_default().rsplit('.').next().unwrap_or_default()),
        text: words(error.get("message").and_then(Value::as_str).unwrap_or_default()),
        critical: false,
    });
    let spoken = all.into_iter().find(|one| !one.text.is_empty());
    spoken.or(of_error).filter(|one| !one.text.is_empty() || !one.id.is_empty())
}

/// Whether as many are signed in as it takes.
pub(super) fn is_full(body: &[u8]) -> bool {
    told(body).is_some_and(|told| matches!(told.id.as_str(), "SessionLimitExceeded" | "CreateLimitReachedForResource"))
}

/// An answer that says yes by its status and no by its words.
pub(super) fn hidden_refusal(status: StatusCode, body: &[u8]) -> Option<DeviceError> {
    if body.is_empty() {
        return None;
    }
    let told = told(body).filter(|told| told.critical && !is_idle(&told.id))?;
    Some(by_message(status, told))
}

fn by_message(status: StatusCode, told: Told) -> DeviceError {
    match told.id.as_str() {
        "InsufficientPrivilege" | "InsufficientPrivileges" => DeviceError::Refused {
            status: status.as_u16(),
            name: told.id,
            text: "its account may not do that; give it more rights in the BMC, or enter another account".to_owned(),
        },
        "PasswordChangeRequired" => DeviceError::Lacks(
            "the BMC wants the password of its account changed first; change it on the BMC's own page, and enter the new one"
                .to_owned(),
        ),
        "UnauthorizedLoginAttempt" | "NoValidSession" | "ResourceAtUriUnauthorized" | "InvalidCredentials" => {
            DeviceError::CredentialsRefused
        }
        "SessionLimitExceeded" | "CreateLimitReachedForResource" => {
            DeviceError::Busy("as many are signed in to the BMC as it takes".to_owned())
        }
        "ServiceTemporarilyUnavailable" | "ServiceInUnknownState" | "ServiceShuttingDown" => {
            DeviceError::Busy("the BMC's service is starting or stopping".to_owned())
        }
        "ResourceInStandby" | "ResourceInUse" => DeviceError::Busy(if told.text.is_empty() {
            "the BMC does something else".to_owned()
        } else {
            told.text
        }),
        "ActionNotSupported" | "OperationNotAllowed" => {
            DeviceError::Lacks(format!("the BMC does not offer that: {}", or_nothing(told.text)))
        }
        _ => DeviceError::Refused { status: status.as_u16(), text: or_nothing(told.text), name: told.id },
    }
}

fn or_nothing(text: String) -> String {
    if text.is_empty() { "it gives no reason".to_owned() } else { text }
}

/// Why it said no. `wait`: what it asked us to wait, in seconds.
pub(super) fn refusal(path: &str, status: StatusCode, wait: Option<u64>, body: &[u8]) -> DeviceError {
    let told = told(body);
    match (status, told) {
        (StatusCode::UNAUTHORIZED, _) => DeviceError::CredentialsRefused,
        (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, told) => {
            let why = told.map(|told| told.text).filter(|text| !text.is_empty());
            let why = why.unwrap_or_else(|| "its service is not ready".to_owned());
            DeviceError::Busy(match wait {
                Some(seconds) => format!("{why}; it asks for {seconds} seconds"),
                None => why,
            })
        }
        (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED, told)
            if told.as_ref().is_none_or(|told| is_idle(&told.id) || told.id.starts_with("Resource")) =>
        {
            DeviceError::NotThere { path: path.to_owned() }
        }
        (status, Some(told)) if !told.id.is_empty() => by_message(status, told),
        (status, told) => DeviceError::Refused {
            status: status.as_u16(),
            name: status.to_string(),
            text: or_nothing(told.map(|told| told.text).unwrap_or_default()),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test")]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(status: u16, body: &Value) -> String {
        refusal("/redfish/v1/Systems/1", StatusCode::from_u16(status).unwrap(), None, body.to_string().as_bytes())
            .to_string()
    }

    #[test]
    fn messages_become_sentences() {
        // iDRAC: an error of its own behind the general one.
        let idrac = json!({"error": {"code": "Base.1.8.GeneralError", "message": "A general error has occurred.",
            "@Message.ExtendedInfo": [
                {"MessageId": "Base.1.8.GeneralError", "Message": "A general error has occurred.", "Severity": "Warning"},
                {"MessageId": "IDRAC.2.4.PSU501", "Message": "The requested operation is not allowed\nnow.", "MessageSeverity": "Critical"}]}});
        assert_eq!(of(400, &idrac), "the device refused: The requested operation is not allowednow. (PSU501)");
        // iLO: arguments without a sentence, and another spelling.
        let ilo = json!({"error": {"code": "iLO.0.10.ExtendedInfo", "@Message.ExtendedInfo": [
            {"MessageID": "iLO.0.10.InvalidOperationForSystemState", "MessageArgs": ["On"]}]}});
        assert_eq!(of(400, &ilo), "the device refused: On (InvalidOperationForSystemState)");
        // OpenBMC and sushy.
        let rights = json!({"error": {"@Message.ExtendedInfo": [{"MessageId": "Base.1.13.0.InsufficientPrivilege",
            "Message": "There are insufficient privileges for the account."}]}});
        assert!(of(403, &rights).contains("its account may not do that"));
        let sushy = json!({"error": {"code": "Base.1.0.GeneralError", "message": "Domain not found",
            "@Message.ExtendedInfo": [{"@odata.type": "/redfish/v1/$metadata#Message", "MessageId": "Base.1.0.GeneralError"}]}});
        assert_eq!(of(500, &sushy), "the device refused: Domain not found (GeneralError)");
        assert!(of(404, &json!({})).contains("nothing at /redfish/v1/Systems/1"));
        assert!(of(503, &json!([])).contains("busy: its service is not ready"));
        assert!(of(418, &json!("tea")).contains("it gives no reason"));
        let yes = json!({"@Message.ExtendedInfo": [{"MessageId": "Base.1.8.Success", "Severity": "OK"}]});
        assert!(hidden_refusal(StatusCode::OK, yes.to_string().as_bytes()).is_none());
        let no = json!({"error": {"@Message.ExtendedInfo": [{"MessageId": "Base.1.8.ActionNotSupported", "Severity": "Critical"}]}});
        assert!(matches!(hidden_refusal(StatusCode::OK, no.to_string().as_bytes()), Some(DeviceError::Lacks(_))));
    }
}
