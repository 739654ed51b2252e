"""What others see of the home: the settings of a call, recorded runs, their locks and files.

The orchesjob homes of runs, and the slots of calls, are left out: they load what few commands need.
"""

from orchesjob_flow.home.locks import Holder as Holder
from orchesjob_flow.home.locks import Lock as Lock
from orchesjob_flow.home.locks import open_owned as open_owned
from orchesjob_flow.home.locks import refuse_foreign as refuse_foreign
from orchesjob_flow.home.paths import DATABASE_OPTION as DATABASE_OPTION
from orchesjob_flow.home.paths import FLOW_HOME as FLOW_HOME
from orchesjob_flow.home.paths import Home as Home
from orchesjob_flow.home.paths import check_run_key as check_run_key
from orchesjob_flow.home.paths import encode_run_key as encode_run_key
from orchesjob_flow.home.paths import is_there as is_there
from orchesjob_flow.home.paths import key_for_flow as key_for_flow
from orchesjob_flow.home.paths import make_run_directory as make_run_directory
from orchesjob_flow.home.paths import remove_run_directory as remove_run_directory
from orchesjob_flow.home.runs import UNFINISHED_STATUSES as UNFINISHED_STATUSES
from orchesjob_flow.home.runs import Listed as Listed
from orchesjob_flow.home.runs import Observer as Observer
from orchesjob_flow.home.runs import RunHandle as RunHandle
from orchesjob_flow.home.runs import Snapshot as Snapshot
from orchesjob_flow.home.runs import find_runs as find_runs
from orchesjob_flow.home.runs import flow_of_run as flow_of_run
from orchesjob_flow.home.runs import has_runner as has_runner
from orchesjob_flow.home.runs import last_recorded as last_recorded
from orchesjob_flow.home.runs import newest_run as newest_run
from orchesjob_flow.home.runs import open_store as open_store
from orchesjob_flow.home.runs import open_to_read as open_to_read
from orchesjob_flow.home.runs import patiently as patiently
from orchesjob_flow.home.runs import read_store as read_store
from orchesjob_flow.home.runs import refuse_other_steps as refuse_other_steps
from orchesjob_flow.home.runs import request_cancel as request_cancel
from orchesjob_flow.home.runs import wait_out as wait_out
from orchesjob_flow.home.runs import with_runners as with_runners
from orchesjob_flow.home.settings import DEFAULT_PATIENCE_SEC as DEFAULT_PATIENCE_SEC
from orchesjob_flow.home.settings import DEFAULT_POLL_INTERVAL_SEC as DEFAULT_POLL_INTERVAL_SEC
from orchesjob_flow.home.settings import Settings as Settings
