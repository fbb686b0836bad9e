"""How a long-running process lets Python look for cyclic garbage."""

import gc

_YOUNG_OBJECTS = 50_000


def relax_garbage_collection() -> None:
    """Search for cycles a seventieth as often as by default, and no longer among what the start has loaded.

    A batch of 8,192 journals makes some 100,000 objects, none in a cycle. By default Python searches them a hundred
    times while they are made, which was measured at a sixth of the time of posting. Call once, when a process that
    posts much has finished loading.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)
