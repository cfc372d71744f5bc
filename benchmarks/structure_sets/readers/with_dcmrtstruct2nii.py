"""Reads structure sets with dcmrtstruct2nii, step by step as its facade does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import SimpleITK
from dcmrtstruct2nii.adapters.convert.rtstructcontour2mask import DcmPatientCoords2Mask
from dcmrtstruct2nii.adapters.input.contours.rtstructinputadapter import RtStructInputAdapter
from dcmrtstruct2nii.adapters.input.image.dcminputadapter import DcmInputAdapter
from exchange import Masks, serve
from pydicom import dcmread


@dataclass(frozen=True)
class Ct:
    """An image and where its files are."""

    image: Any
    folder: Path


def load(ct: Path) -> Ct:
    return Ct(DcmInputAdapter().ingest(str(ct)), ct)


def uids(ct: Ct) -> list[str]:
    files = SimpleITK.ImageSeriesReader().GetGDCMSeriesFileNames(str(ct.folder))
    return [str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files]


def read(structure_set: Path, ct: Ct) -> Masks:
    convert = DcmPatientCoords2Mask().convert
    return {
        roi["name"]: SimpleITK.GetArrayFromImage(convert(roi["sequence"], ct.image, 0, 255))
        for roi in RtStructInputAdapter().ingest(str(structure_set))
        if "sequence" in roi
    }


serve(load=load, uids=uids, read=read)
