//! `oriel cloud`: an OpenStack on which desktops shall stand. Runs here, without a server.

use super::doctor::report;
use super::gpu::paint::Paint;
use crate::{
    cli::Json,
    failure::{Done, FAILED, Failure},
    output,
};
use clap::{Args, Subcommand};
use oriel_model::Severity;
use oriel_openstack::{ACCESS_RULES, Clouds, Options};
use serde_json::json;
use std::{path::PathBuf, time::Duration};

#[derive(Subcommand)]
pub enum Command {
    /// Find out what works on a cloud and what does not; changes nothing there
    Doctor(Doctor),
    /// Print the rights that Oriel needs, as access rules of an application credential
    AccessRules,
}

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 without errors (warnings are for people to weigh), 1 with errors, 2 wrong usage or a file that cannot be used."
)]
pub struct Doctor {
    /// The file that says where the cloud is and how to sign in, as `openstack` reads it
    #[arg(long, value_name = "FILE", env = "OS_CLIENT_CONFIG_FILE", hide_env_values = true)]
    clouds_yaml: PathBuf,
    /// Which of the file's clouds, where it has several
    #[arg(long, value_name = "NAME", env = "OS_CLOUD", hide_env_values = true)]
    cloud: Option<String>,
    /// Only this region, where the cloud has several
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    #[command(flatten)]
    json: Json,
}

impl Command {
    pub async fn run(self) -> Done {
        match self {
            Self::Doctor(doctor) => doctor.run().await,
            Self::AccessRules => output::print(ACCESS_RULES.trim_end()),
        }
    }
}

impl Doctor {
    async fn run(self) -> Done {
        let unusable =
            |error| Failure { code: crate::failure::USAGE, ..Failure::because("cannot use the cloud's file", &error) };
        let cloud =
            Clouds::file(&self.clouds_yaml).and_then(|clouds| clouds.pick(self.cloud.as_deref())).map_err(unusable)?;
        // Somebody waits: what does not answer soon is a finding.
        let options = Options { answer_time: Duration::from_secs(20), attempts: 2, ..Options::default() };
        let findings = oriel_openstack::doctor::doctor(&cloud, self.region.as_deref(), &options).await;
        if self.json.json {
            output::print_json(&json!({"findings": findings}))?;
        } else {
            output::print(report(&findings, Paint::of_stdout()).trim_end())?;
        }
        if findings.iter().any(|finding| finding.severity == Severity::Error) {
            return Err(Failure::silent(FAILED));
        }
        Ok(())
    }
}
