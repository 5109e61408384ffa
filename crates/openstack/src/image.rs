//! Images.
//! <https://docs.openstack.org/api-ref/image/v2/>

use crate::client::{Ask, Client, PAGE, PAGES_MAX, below, refused};
use crate::http::Call;
use crate::{OpenStackError, Service, server::too_many};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub id: String,
    pub name: String,
    /// `active` ones can be used.
    pub status: String,
    pub size_bytes: u64,
    /// How large the disk is that it holds; none where Glance does not say.
    pub disk_bytes: Option<u64>,
    pub disk_format: String,
    pub min_disk_gib: u64,
    pub min_memory_mib: u64,
    pub visibility: String,
    /// It was made of a server's disk, and has the properties of the image that the server was made of.
    pub is_snapshot: bool,
}

#[derive(Deserialize)]
struct Many {
    images: Vec<WireImage>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct WireImage {
    id: String,
    // null while it is being uploaded
    name: Option<String>,
    #[serde(default)]
    status: String,
    size: Option<u64>,
    virtual_size: Option<u64>,
    disk_format: Option<String>,
    #[serde(default)]
    min_disk: u64,
    #[serde(default)]
    min_ram: u64,
    #[serde(default)]
    visibility: String,
    image_type: Option<String>,
}

impl From<WireImage> for Image {
    fn from(wire: WireImage) -> Self {
        Self {
            id: wire.id,
            name: wire.name.unwrap_or_default(),
            status: wire.status,
            size_bytes: wire.size.unwrap_or_default(),
            disk_bytes: wire.virtual_size,
            disk_format: wire.disk_format.unwrap_or_default(),
            min_disk_gib: wire.min_disk,
            min_memory_mib: wire.min_ram,
            visibility: wire.visibility,
            is_snapshot: wire.image_type.as_deref() == Some("snapshot"),
        }
    }
}

impl Client {
    /// The project's own images that have this property. Others may share theirs with the same one: those are not among them.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn own_images_with(&self, property: &str, value: &str) -> Result<Vec<Image>, OpenStackError> {
        let Some(project) = self.token().await?.project_id.clone() else { return Ok(Vec::new()) };
        let query = [
            (property, value.to_owned()),
            ("owner", project),
            ("visibility", "private".to_owned()),
            ("limit", PAGE.to_string()),
        ];
        let found: Many =
            self.ask(Ask { query: &query, ..Ask::get(Service::Image, "list images", &["images"]) }).await?;
        Ok(found.images.into_iter().map(Image::from).collect())
    }

    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_gone`] when there is no such image.
    pub async fn image(&self, id: &str) -> Result<Image, OpenStackError> {
        let one: WireImage = self.ask(Ask::get(Service::Image, "show an image", &["images", id])).await?;
        Ok(one.into())
    }

    /// A private image without content yet; answers with its id.
    ///
    /// # Errors
    /// The cloud refuses or fails. Where the answer is lost, it may be there: look for its property.
    pub async fn create_image(
        &self,
        name: &str,
        disk_format: &str,
        property: (&str, &str),
    ) -> Result<String, OpenStackError> {
        let body = json!({
            "name": name, "disk_format": disk_format, "container_format": "bare", "visibility": "private",
            property.0: property.1,
        });
        let made: WireImage = self.ask(Ask::post(Service::Image, "make an image", &["images"], body)).await?;
        Ok(made.id)
    }

    /// Fills an image that has no content yet. Once begun it is not repeated.
    ///
    /// # Errors
    /// The cloud refuses or fails: the image is then of no use.
    pub async fn upload_image(&self, id: &str, file: tokio::fs::File, bytes: u64) -> Result<(), OpenStackError> {
        let action = "upload an image";
        let url = below(&self.url(Service::Image).await?, &["images", id, "file"], &[])?;
        let token = self.token().await?;
        let call = Call {
            service: Service::Image,
            action,
            method: Method::PUT,
            url,
            token: Some(&token.value),
            version: None,
            body: None,
        };
        let answer = self.http.upload(&call, file, bytes).await?;
        if answer.status == StatusCode::NO_CONTENT { Ok(()) } else { Err(refused(Service::Image, action, &answer)) }
    }

    /// Done when it is not there.
    ///
    /// # Errors
    /// The cloud refuses or fails, as for one that is protected or in use.
    pub async fn delete_image(&self, id: &str) -> Result<(), OpenStackError> {
        match self.ask_for(Ask::delete(Service::Image, "delete an image", &["images", id])).await {
            Err(error) if !error.is_gone() => Err(error),
            _ => Ok(()),
        }
    }

    /// All images that the project may use.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn images(&self) -> Result<Vec<Image>, OpenStackError> {
        let action = "list images";
        let mut images: Vec<Image> = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut query = vec![("limit", PAGE.to_string())];
            if let Some(last) = images.last() {
                query.push(("marker", last.id.clone()));
            }
            let ask = Ask { query: &query, ..Ask::get(Service::Image, action, &["images"]) };
            let page: Many = self.ask(ask).await?;
            let last = page.images.is_empty() || page.next.is_none();
            images.extend(page.images.into_iter().map(Image::from));
            if last {
                return Ok(images);
            }
        }
        Err(too_many(action, images.len()))
    }
}
