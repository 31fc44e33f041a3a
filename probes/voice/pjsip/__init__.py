"""pjsua2 behind one door: no module outside this package imports it.

The wheel is built with assertions, so misuse aborts the process. The rules that keep it alive, each learnt from a
crash (docs/voice.md tells the story):

* One owner thread makes every pj call and drops every pj object. Everyone else posts jobs to it.
* No pj object is ever part of a reference cycle that outlives the library, or the collector frees it on some other
  thread.
* Callbacks never raise: a Python exception would keep the native object alive beyond the library.
* An audio port is never dropped while the bridge may still call it: ports are pooled for the process's life.
* At most four calls a process; the fifth is a clean error here and would be a false "busy" at the far end.
"""
