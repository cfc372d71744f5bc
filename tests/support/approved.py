"""Patients who do not exist as a planning system has them: a CT, and structure sets on it that plastimatch wrote.

plastimatch knows nothing of this project; what it leaves out, the approval, dcmtk's dcmodify writes.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from segmentation.geometry import Grid
from segmentation.phantom import Phantom, build_phantom
from segmentation.phantom_series import build_series, write_series
from tests.support.instances import CANARY_BIRTH_DATE, CANARY_ID, CANARY_NAME

ORGANS = ("Brainstem", "SpinalCord", "Bone_Mandible", "Parotid_L", "Parotid_R")
APPROVED = {"300e,0002": "APPROVED", "300e,0004": "20260302", "300e,0005": "101500", "300e,0008": "Ada^Physician"}
"""Approval Status, Review Date, Review Time, Reviewer Name (PS3.3 C.8.8.16)."""
Masks = Mapping[str, NDArray[np.bool_]]


@lru_cache(maxsize=16)
def phantom_of(seed: int) -> Phantom:
    """Return the patient of a seed, as coarse as OpenKBP's."""
    return build_phantom(seed, rows=128, columns=128, pixel_mm=4.0, slice_mm=4.0)


@dataclass(frozen=True)
class Patient:
    """One patient in a folder.

    Args:
        folder: of everything that was written.
        seed: of the phantom; another seed is another patient.
    """

    folder: Path
    seed: int

    @property
    def patient_id(self) -> str:
        """The Patient ID, which must be found nowhere but in DICOM files."""
        return f"{CANARY_ID}-{self.seed}"

    @property
    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """The organs as they are."""
        return {organ: phantom_of(self.seed).masks[organ] for organ in ORGANS}

    @property
    def slices(self) -> list[Path]:
        """The files of the CT."""
        return sorted((self.folder / "ct").iterdir())

    def header(self, keyword: str) -> str:
        """Return a value of the CT's header."""
        return str(dcmread(self.slices[0], stop_before_pixels=True)[keyword].value)

    def structure_set(self, name: str, masks: Masks | None = None, tags: Mapping[str, str] | None = None) -> Path:
        """Have plastimatch write a structure set, and dcmodify what `tags` say; approved, if they are not given."""
        masks = self.masks if masks is None else masks
        return written_by_plastimatch(
            self.folder / name, self.folder / "ct", masks, phantom_of(self.seed).volume.grid, tags
        )


def make_patient(folder: Path, seed: int) -> Patient:
    """Write the CT of a patient; the header names the canary."""
    patient = Patient(folder, seed)
    datasets = build_series(phantom_of(seed), seed=seed, patient_id=patient.patient_id)
    for ds in datasets:
        ds.PatientName, ds.PatientBirthDate = CANARY_NAME, CANARY_BIRTH_DATE
        ds.Manufacturer, ds.StationName = "Made", "CANARYSTATION"
    folder.mkdir(parents=True)
    write_series(datasets, folder / "ct")
    return patient


def written_by_plastimatch(
    work: Path, ct: Path, masks: Masks, grid: Grid, tags: Mapping[str, str] | None = None
) -> Path:
    """Have plastimatch write masks as a structure set on a CT, and dcmodify what `tags` say; approved without them.

    Args:
        work: a folder that is made.
        ct: the folder of the CT.
        masks: by organ.
        grid: of the masks and of the CT.
        tags: `gggg,eeee` to value.
    """
    work.mkdir()
    (work / "ss.mha").write_bytes(_image(masks, grid))
    lines = [f"{bit}|255 {20 * bit} 0|{organ}\n" for bit, organ in enumerate(masks)]
    (work / "ss.txt").write_text("".join(lines))
    command = ["plastimatch", "convert", "--input-ss-img", work / "ss.mha", "--input-ss-list", work / "ss.txt"]
    command += ["--referenced-ct", ct, "--output-dicom", work / "out"]
    subprocess.run(command, check=True, capture_output=True)
    [path] = (work / "out").iterdir()
    changes = [
        word for tag, value in (APPROVED if tags is None else tags).items() for word in ("-i", f"({tag})={value}")
    ]
    if changes:
        subprocess.run(["dcmodify", "-nb", *changes, path], check=True, capture_output=True)
    return path


def storescu(port: int, *files: Path, calling: str = "TPS") -> None:
    """Send files with dcmtk, every one of which must be taken."""
    command = ["storescu", "-R", "-aet", calling, "-aec", "DICOMNODE", "127.0.0.1", str(port), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def _image(masks: Masks, grid: Grid) -> bytes:
    """Return a MetaImage of bits, one an organ."""
    bits = np.zeros(grid.shape, dtype="<u4")
    for bit, mask in enumerate(masks.values()):
        bits |= mask.astype("<u4") << np.uint32(bit)
    x, y, z = grid.origins[0]
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": f"{x} {y} {z}",
        "ElementSpacing": f"{grid.column_spacing_mm} {grid.row_spacing_mm} {grid.slice_spacing_mm}",
        "DimSize": f"{grid.columns} {grid.rows} {grid.shape[0]}",
        "ElementType": "MET_UINT",
        "ElementDataFile": "LOCAL",
    }
    return "".join(f"{key} = {value}\n" for key, value in header.items()).encode() + bits.tobytes()
