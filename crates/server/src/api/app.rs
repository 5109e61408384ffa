//! Programs that pools publish.

use super::Named;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is started over RDP instead of the desktop: one of the first two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AppRun {
    /// A RemoteApp of Windows: its path there, or `||` and the name that it is published under.
    #[schema(required)]
    pub remote_app: Option<String>,
    /// Any program with its arguments, which the machine runs instead of its desktop.
    #[schema(required)]
    pub initial_program: Option<String>,
    /// Of a RemoteApp.
    #[schema(required)]
    pub arguments: Option<String>,
    /// The folder that it starts in.
    #[schema(required)]
    pub folder: Option<String>,
}

impl From<model::AppRun> for AppRun {
    fn from(run: model::AppRun) -> Self {
        let model::AppRun { remote_app, initial_program, arguments, folder } = run;
        Self { remote_app, initial_program, arguments, folder }
    }
}

impl From<AppRun> for model::AppRun {
    fn from(run: AppRun) -> Self {
        let AppRun { remote_app, initial_program, arguments, folder } = run;
        Self { remote_app, initial_program, arguments, folder }
    }
}

/// A program that a pool publishes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct App {
    pub id: String,
    pub pool: Named,
    /// What people see.
    pub name: String,
    pub run: AppRun,
    /// SHA-256 of its picture, which `/pools/{id}/apps/{app}/icon` answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    pub created_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AppList {
    pub apps: Vec<App>,
}

/// A program that somebody may open.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnApp {
    pub id: String,
    pub pool: Named,
    pub name: String,
    /// SHA-256 of its picture, which `/me/apps/{app}/icon` answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnAppList {
    pub apps: Vec<OwnApp>,
}

/// A program to publish.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AppNew {
    /// 1 to 80 characters; unique in its pool.
    pub name: String,
    pub run: AppRun,
    /// Its picture: a PNG in base64, of at most 64 KiB and 512 by 512 pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
}

/// What to change; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AppChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// As a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<AppRun>,
    /// As in [`AppNew`]; an empty text takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
}

/// A place on a session host that somebody has.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostPlace {
    pub host: Named,
    /// Which of the host's, from 1.
    pub number: u32,
    pub user: Named,
    /// Since when they have it.
    pub since: String,
    /// Whether they are connected; who is not may come back for a while.
    pub connected: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostPlaceList {
    pub places: Vec<HostPlace>,
}
