"""A flow played through the engine in virtual time: nothing is executed, recorded or waited for."""
