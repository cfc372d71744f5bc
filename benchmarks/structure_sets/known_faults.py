"""What other people's readers are known to get wrong, whoever wrote the structure set (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A fault of a reader, and where it shows; an empty tuple stands for everywhere.

    Args:
        readers: whose.
        says: what they do, and where that is to be seen.
        geometries: of the CT.
        profiles: of the contours.
        contents: organs, or awkward masks.
    """

    readers: tuple[str, ...]
    says: str
    geometries: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()

    def shows(self, reader: str, geometry: str, profile: str, content: str) -> bool:
        """Whether it is to be expected."""
        asked = (
            (reader, self.readers),
            (geometry, self.geometries),
            (profile, self.profiles),
            (content, self.contents),
        )
        return all(not where or what in where for what, where in asked)


KNOWN_FAULTS: Sequence[Fault] = (
    Fault(
        ("plastimatch", "plastimatch, xor"),
        "makes voxels of its own where slices are unevenly spaced or stacked aslant: its volume has one slice spacing "
        "and right angles (the header of its image says which)",
        geometries=("tilt", "uneven slices"),
    ),
    Fault(
        ("dcmrtstruct2nii", "platipy"),
        "asks the CT's SimpleITK image for a point's index, which has one slice spacing and right angles "
        "(rtstructcontour2mask.py, rtstruct_to_nifti.py; https://github.com/pyplati/platipy/issues/314)",
        geometries=("tilt", "uneven slices"),
    ),
    Fault(
        ("DicomRTTool",),
        "finds a point's slice by its z alone, and each slice has many where planes lean "
        "(ReaderWriter.reshape_contour_data)",
        geometries=("tilt", "oblique"),
    ),
    Fault(
        ("dicompyler-core",),
        "knows axial planes only, and says so: NotImplementedError (dicomparser.x_lut_index)",
        geometries=("tilt", "oblique"),
    ),
    Fault(
        ("rt-utils",),
        "stacks all slices along the normal of the first (image_helper.get_patient_to_pixel_transformation_matrix)",
        geometries=("tilt",),
    ),
    Fault(
        ("rt-utils",),
        "multiplies the direction of a row by the distance of rows "
        "(image_helper.get_patient_to_pixel_transformation_matrix)",
        geometries=("anisotropic",),
    ),
    Fault(
        ("rt-utils",),
        "makes masks of columns by rows (image_helper.create_empty_slice_mask)",
        geometries=("rows unlike columns",),
    ),
    Fault(
        ("platipy",),
        "cuts columns at the number of rows (polygon(x, y, shape) in rtstruct_to_nifti.py)",
        geometries=("rows unlike columns",),
        contents=("awkward",),
    ),
    Fault(
        ("rt-utils", "DicomRTTool", "platipy"),
        "rounds vertices to whole pixels, so that half a pixel is lost or won at the edge (np.around before "
        "cv.fillPoly, reshape_contour_data, TransformPhysicalPointToIndex): for these the profile `exact` is there",
        profiles=("clinical",),
    ),
)


def known_fault(reader: str, geometry: str, profile: str, content: str) -> int | None:
    """Return the place in the list of the first fault that is to be expected, None for none."""
    shown = (place for place, fault in enumerate(KNOWN_FAULTS) if fault.shows(reader, geometry, profile, content))
    return next(shown, None)
