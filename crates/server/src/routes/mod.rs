//! The API's endpoints, one file per noun. Who may call what is said in [`crate::access`] and enforced before a handler runs.

pub mod audit;
pub mod connect;
pub mod desktop;
pub mod device;
pub mod directory;
pub mod download;
pub mod export;
pub mod external;
pub mod file;
pub mod gpu;
pub mod group;
pub mod host;
pub mod image;
pub mod invite;
pub mod me;
pub mod operation;
pub mod pool;
pub mod provider;
pub mod recording;
pub mod second_factor;
pub mod service;
pub mod session;
pub mod sign_in;
pub mod token;
pub mod upload;
pub mod user;

use crate::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// All endpoints, below `/api/v1`.
pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(me::login))
        .routes(routes!(me::logout))
        .routes(routes!(me::me))
        .routes(routes!(me::password))
        .routes(routes!(me::unlock))
        .routes(routes!(second_factor::mine, second_factor::prove))
        .routes(routes!(second_factor::begin))
        .routes(routes!(second_factor::confirm))
        .routes(routes!(second_factor::remove))
        .routes(routes!(second_factor::recovery_codes))
        .routes(routes!(second_factor::forget))
        .routes(routes!(second_factor::of_user, second_factor::reset))
        .routes(routes!(user::list, user::create))
        .routes(routes!(user::change, user::delete))
        .routes(routes!(group::list, group::create))
        .routes(routes!(group::show, group::change, group::delete))
        .routes(routes!(group::join, group::leave))
        .routes(routes!(group::allow, group::deny))
        .routes(routes!(directory::list, directory::create))
        .routes(routes!(directory::show, directory::change, directory::delete))
        .routes(routes!(directory::test))
        .routes(routes!(provider::list, provider::create))
        .routes(routes!(provider::show, provider::change, provider::delete))
        .routes(routes!(provider::test))
        .routes(routes!(sign_in::providers))
        .routes(routes!(sign_in::begin))
        .routes(routes!(sign_in::finish))
        .routes(routes!(token::list, token::create))
        .routes(routes!(token::delete))
        .routes(routes!(image::list))
        .routes(routes!(image::recipes))
        .routes(routes!(image::build))
        .routes(routes!(image::import))
        .routes(routes!(image::delete))
        .routes(routes!(pool::list, pool::create))
        .routes(routes!(pool::show, pool::change, pool::delete))
        .routes(routes!(pool::allow, pool::deny))
        .routes(routes!(pool::own))
        .routes(routes!(pool::take))
        .routes(routes!(external::list, external::create))
        .routes(routes!(external::show, external::change, external::delete))
        .routes(routes!(external::identity))
        .routes(routes!(device::show))
        .routes(routes!(device::power))
        .routes(routes!(device::switch))
        .routes(routes!(device::drive))
        .routes(routes!(device::delete_image))
        .routes(routes!(device::picture))
        .routes(routes!(desktop::list, desktop::create))
        .routes(routes!(desktop::show, desktop::delete))
        .routes(routes!(desktop::start))
        .routes(routes!(desktop::stop))
        .routes(routes!(desktop::restart))
        .routes(routes!(desktop::recycle))
        .routes(routes!(desktop::connect))
        .routes(routes!(desktop::thumbnail))
        .routes(routes!(file::list, file::delete))
        .routes(routes!(file::entry))
        .routes(routes!(file::rename))
        .routes(routes!(file::folder))
        .routes(routes!(download::download))
        .routes(routes!(upload::uploaded, upload::upload, upload::abandon))
        .routes(routes!(operation::list))
        .routes(routes!(operation::show))
        .routes(routes!(operation::cancel))
        .routes(routes!(operation::resume))
        .routes(routes!(session::list))
        .routes(routes!(session::end))
        .routes(routes!(invite::list, invite::create))
        .routes(routes!(invite::revoke))
        .routes(routes!(invite::accept))
        .routes(routes!(invite::shadow))
        .routes(routes!(recording::list))
        .routes(routes!(recording::show, recording::delete))
        .routes(routes!(recording::index))
        .routes(routes!(recording::content))
        .routes(routes!(audit::list))
        .routes(routes!(audit::check))
        .routes(routes!(export::list, export::create))
        .routes(routes!(export::delete))
        .routes(routes!(export::content))
        .routes(routes!(gpu::list))
        .routes(routes!(gpu::show))
        .routes(routes!(gpu::findings))
        .routes(routes!(gpu::plan))
        .routes(routes!(gpu::mode))
        .routes(routes!(host::host))
        .routes(routes!(host::doctor))
        .routes(routes!(host::reconcilers))
        .routes(routes!(connect::viewer))
        .routes(routes!(service::openapi))
        .routes(routes!(service::health))
        .routes(routes!(service::ready))
        .routes(routes!(service::metrics))
}
