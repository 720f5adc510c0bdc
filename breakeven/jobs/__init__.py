"""How a process behaves on a machine: its device, its locks, its end. Nothing here changes a number, as in `breakeven.store`."""
