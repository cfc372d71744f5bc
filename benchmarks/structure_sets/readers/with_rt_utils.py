"""Reads and writes structure sets with rt-utils, as its README shows."""

from pathlib import Path
from typing import Any

import numpy as np
from exchange import Masks, serve
from pydicom import dcmread
from rt_utils import RTStruct, RTStructBuilder


def load(ct: Path) -> Any:
    return RTStructBuilder.create_new(dicom_series_path=str(ct))


def uids(state: Any) -> list[str]:
    return [str(header.SOPInstanceUID) for header in state.series_data]


def read(structure_set: Path, state: Any) -> Masks:
    ds = dcmread(structure_set)
    RTStructBuilder.validate_rtstruct(ds)
    RTStructBuilder.validate_rtstruct_series_references(ds, state.series_data)
    rtstruct = RTStruct(state.series_data, ds)
    return {name: np.moveaxis(rtstruct.get_roi_mask_by_name(name), 2, 0) for name in rtstruct.get_roi_names()}


def write(masks: Masks, state: Any, out: Path) -> None:
    for name, mask in masks.items():
        state.add_roi(mask=np.moveaxis(mask, 0, 2), name=name)
    state.save(str(out))


serve(load=load, uids=uids, read=read, write=write)
