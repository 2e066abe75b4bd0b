//! Hugging Face's image processors that can be expressed, and how they differ.
//!
//! What each does stands in `transformers/models/*/image_processing_*.py`; defaults that versions
//! 4 and 5 disagree on are none here: the key has to be there.

/// One class of image processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    /// The class is `<name>ImageProcessor`.
    pub(super) name: &'static str,
    /// What `size` may be.
    pub(super) size: SizeRule,
    /// When it crops.
    pub(super) crop: CropRule,
    /// What else it does.
    pub(super) extra: Extra,
    /// `model_type`s that use it, for folders that don't name a class.
    model_types: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SizeRule {
    /// Height and width; a number is both.
    Square,
    /// Height and width only.
    Sides,
    /// The shortest edge, which a number is too, or height and width.
    Shortest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CropRule {
    /// It has no crop.
    Never,
    /// As `do_center_crop` says, which when absent is this.
    Default(bool),
    /// As `do_center_crop` says, which must be there.
    Stated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    None,
    /// `crop_pct` below 384 pixels.
    ConvNext,
    /// `rescale_offset` and `include_top`.
    EfficientNet,
    /// `do_flip_channel_order`, and no normalisation.
    MobileVit,
}

const fn plain(
    name: &'static str,
    size: SizeRule,
    crop: CropRule,
    model_types: &'static [&'static str],
) -> Family {
    Family {
        name,
        size,
        crop,
        extra: Extra::None,
        model_types,
    }
}

const fn special(name: &'static str, extra: Extra, model_types: &'static [&'static str]) -> Family {
    let (size, crop) = match extra {
        Extra::EfficientNet => (SizeRule::Square, CropRule::Default(false)),
        Extra::ConvNext => (SizeRule::Shortest, CropRule::Never),
        Extra::MobileVit | Extra::None => (SizeRule::Shortest, CropRule::Default(true)),
    };
    Family {
        name,
        size,
        crop,
        extra,
        model_types,
    }
}

const CROPS: CropRule = CropRule::Default(true);

const FAMILIES: [Family; 12] = [
    plain(
        "ViT",
        SizeRule::Square,
        CropRule::Never,
        &["vit", "vit_msn", "swin", "swinv2", "swiftformer", "ijepa"],
    ),
    plain("Pvt", SizeRule::Square, CropRule::Never, &["pvt", "pvt_v2"]),
    plain(
        "Beit",
        SizeRule::Square,
        CropRule::Stated,
        &["beit", "data2vec-vision"],
    ),
    plain("DeiT", SizeRule::Square, CROPS, &["deit"]),
    plain(
        "Siglip",
        SizeRule::Sides,
        CropRule::Never,
        &["siglip", "siglip_vision_model"],
    ),
    plain(
        "CLIP",
        SizeRule::Shortest,
        CROPS,
        &["clip", "clip_vision_model"],
    ),
    plain(
        "Bit",
        SizeRule::Shortest,
        CROPS,
        &["bit", "dinov2", "focalnet", "hiera"],
    ),
    plain("MobileNetV1", SizeRule::Shortest, CROPS, &["mobilenet_v1"]),
    plain("MobileNetV2", SizeRule::Shortest, CROPS, &["mobilenet_v2"]),
    special(
        "ConvNext",
        Extra::ConvNext,
        &["convnext", "convnextv2", "resnet", "regnet", "cvt", "van"],
    ),
    special("EfficientNet", Extra::EfficientNet, &["efficientnet"]),
    special("MobileViT", Extra::MobileVit, &["mobilevit", "mobilevitv2"]),
];

/// The family of a class such as `ViTImageProcessor`, `ViTImageProcessorFast` or
/// `ViTFeatureExtractor`.
pub(super) fn by_class(class: &str) -> Option<Family> {
    let name = class
        .strip_suffix("ImageProcessorFast")
        .or_else(|| class.strip_suffix("ImageProcessorPil"))
        .or_else(|| class.strip_suffix("ImageProcessor"))
        .or_else(|| class.strip_suffix("FeatureExtractor"))?;
    FAMILIES.into_iter().find(|family| family.name == name)
}

/// The family that models of this `model_type` use.
pub(super) fn by_model_type(model_type: &str) -> Option<Family> {
    FAMILIES
        .into_iter()
        .find(|family| family.model_types.contains(&model_type))
}

/// The classes that can be imported, for errors.
pub(super) fn known() -> String {
    let names: Vec<String> = FAMILIES
        .iter()
        .map(|family| format!("{}ImageProcessor", family.name))
        .collect();
    names.join(", ")
}
