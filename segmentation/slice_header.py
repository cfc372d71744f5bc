"""What one CT slice says of itself, as far as judging its series needs it (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from segmentation.slice_stack import Orientation, Point


@dataclass(frozen=True)
class PixelFormat:
    """How the pixels of a slice are stored (PS3.3 C.7.6.3); None where absent or malformed."""

    samples_per_pixel: int | None
    photometric: str
    bits_allocated: int | None
    bits_stored: int | None
    high_bit: int | None
    pixel_representation: int | None
    number_of_frames: int

    @property
    def is_supported(self) -> bool:
        """Whether it is one grey sample of up to 16 bits, as the CT Image IOD demands (PS3.3 C.8.2.1.1)."""
        return (
            self.samples_per_pixel == 1
            and self.photometric in {"MONOCHROME1", "MONOCHROME2"}
            and self.bits_allocated == 16
            and self.bits_stored is not None
            and 1 <= self.bits_stored <= 16
            and self.high_bit == self.bits_stored - 1
            and self.pixel_representation in {0, 1}
        )


@dataclass(frozen=True)
class SliceHeader:
    """What the check looks at in one slice; text is empty, numbers are None where absent or malformed.

    Args:
        patient_id: only to see whether there is one and whether slices agree; never shown.
        patient_name: only to see whether slices agree; never shown.
        image_type: the values of Image Type, in capitals.
        pixel_spacing: mm, between rows and between columns.
        image_position: patient mm, of the centre of the first pixel.
        image_orientation: direction cosines of a row and of a column.
        gantry_tilt_deg: Gantry/Detector Tilt.
        lossy: Lossy Image Compression is 01.
        rescale: slope and intercept.
        rescale_type: unit of what the slope and intercept make.
        transfer_syntax_uid: of the file, empty where only the data set is known.
    """

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    frame_of_reference_uid: str
    patient_id: str = field(repr=False)
    patient_name: str = field(repr=False)
    modality: str
    image_type: tuple[str, ...]
    rows: int | None
    columns: int | None
    pixel_spacing: tuple[float, float] | None
    image_position: Point | None
    image_orientation: Orientation | None
    gantry_tilt_deg: float | None
    lossy: bool
    rescale: tuple[float, float] | None
    rescale_type: str
    pixel_format: PixelFormat
    transfer_syntax_uid: str
    acquisition_number: int | None
    instance_number: int | None


Headers = Sequence[SliceHeader]
