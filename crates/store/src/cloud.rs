//! Clouds, and which of their images holds a version of ours.

use crate::{Store, StoreError, codec};
use oriel_model::{Cloud, CloudId, CloudImage, ImageId, Micros, Name};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::OnConflict,
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "cloud")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub address: String,
        pub region: Option<String>,
        pub sealed: String,
        pub created: i64,
        pub changed: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod image {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "cloud_image")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub cloud_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub image_id: String,
        pub remote: String,
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Cloud {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("cloud", &row.id)?,
            name: codec::parse("cloud", &row.name)?,
            address: row.address,
            region: row.region,
            created: Micros(row.created),
            changed: Micros(row.changed),
        })
    }
}

impl TryFrom<image::Model> for CloudImage {
    type Error = StoreError;
    fn try_from(row: image::Model) -> Result<Self, StoreError> {
        Ok(Self {
            cloud: codec::parse("cloud image", &row.cloud_id)?,
            image: codec::parse("cloud image", &row.image_id)?,
            remote: row.remote,
            created: Micros(row.created),
        })
    }
}

fn to_row(cloud: &Cloud, sealed: &str) -> row::Model {
    row::Model {
        id: cloud.id.to_string(),
        name: cloud.name.to_string(),
        address: cloud.address.clone(),
        region: cloud.region.clone(),
        sealed: sealed.to_owned(),
        created: cloud.created.0,
        changed: cloud.changed.0,
    }
}

impl Store {
    /// `sealed`: how to sign in. Errors: `Taken`.
    pub async fn create_cloud(&self, cloud: &Cloud, sealed: &str) -> Result<(), StoreError> {
        row::Entity::insert(to_row(cloud, sealed).into_active_model())
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::taken(error, "cloud", cloud.name.as_str()))
    }

    /// Writes everything, the sealed part too. Errors: `Missing`, `Taken`.
    pub async fn update_cloud(&self, cloud: &Cloud, sealed: &str) -> Result<(), StoreError> {
        let mut row = to_row(cloud, sealed).into_active_model().reset_all();
        row.id = sea_orm::Unchanged(cloud.id.to_string());
        match row.update(&self.writer).await {
            Ok(_) => Ok(()),
            Err(DbErr::RecordNotUpdated) => Err(StoreError::missing("cloud", cloud.id)),
            Err(error) => Err(StoreError::taken(error, "cloud", cloud.name.as_str())),
        }
    }

    /// By name.
    pub async fn clouds(&self) -> Result<Vec<Cloud>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::Name).all(&self.reader).await?;
        rows.into_iter().map(Cloud::try_from).collect()
    }

    pub async fn cloud(&self, id: CloudId) -> Result<Option<Cloud>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(Cloud::try_from).transpose()
    }

    pub async fn cloud_by_name(&self, name: &Name) -> Result<Option<Cloud>, StoreError> {
        let row = row::Entity::find().filter(row::Column::Name.eq(name.as_str())).one(&self.reader).await?;
        row.map(Cloud::try_from).transpose()
    }

    /// How to sign in, sealed.
    pub async fn cloud_sign_in(&self, id: CloudId) -> Result<Option<String>, StoreError> {
        Ok(row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(|row| row.sealed))
    }

    /// Forgets which images it has, too. Errors: `Missing`, `InUse` while pools stand on it.
    pub async fn delete_cloud(&self, id: CloudId) -> Result<(), StoreError> {
        let done = row::Entity::delete_by_id(id.to_string()).exec(&self.writer).await;
        match done.map_err(|error| StoreError::in_use(error, "cloud", "pools"))?.rows_affected {
            0 => Err(StoreError::missing("cloud", id)),
            _ => Ok(()),
        }
    }

    /// In place of what was known. Errors: `Missing` when either has gone.
    pub async fn put_cloud_image(&self, of: &CloudImage) -> Result<(), StoreError> {
        let row = image::Model {
            cloud_id: of.cloud.to_string(),
            image_id: of.image.to_string(),
            remote: of.remote.clone(),
            created: of.created.0,
        };
        let again = OnConflict::columns([image::Column::CloudId, image::Column::ImageId])
            .update_columns([image::Column::Remote, image::Column::Created])
            .to_owned();
        image::Entity::insert(row.into_active_model())
            .on_conflict(again)
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::dangling(error, "cloud or image", of.image))
    }

    pub async fn cloud_image(&self, cloud: CloudId, image: ImageId) -> Result<Option<CloudImage>, StoreError> {
        let row = image::Entity::find_by_id((cloud.to_string(), image.to_string())).one(&self.reader).await?;
        row.map(CloudImage::try_from).transpose()
    }

    pub async fn cloud_images(&self, cloud: CloudId) -> Result<Vec<CloudImage>, StoreError> {
        let of_it = image::Entity::find().filter(image::Column::CloudId.eq(cloud.to_string()));
        let rows = of_it.order_by_asc(image::Column::ImageId).all(&self.reader).await?;
        rows.into_iter().map(CloudImage::try_from).collect()
    }

    /// What was not known is no error.
    pub async fn delete_cloud_image(&self, cloud: CloudId, image: ImageId) -> Result<(), StoreError> {
        image::Entity::delete_by_id((cloud.to_string(), image.to_string())).exec(&self.writer).await?;
        Ok(())
    }
}
