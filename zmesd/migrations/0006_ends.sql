-- When the monitor had left the alarm. open: that is still to come; alarms from before this version have no end.
ALTER TABLE alarms ADD COLUMN ended_at INTEGER;
ALTER TABLE alarms ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
CREATE INDEX alarms_open ON alarms (monitor_id) WHERE open = 1;
CREATE INDEX alarms_by_end ON alarms (ended_at) WHERE ended_at IS NOT NULL;

-- What is told of the alarm: start or end; and of an end how long the alarm lasted, where that is known.
ALTER TABLE pushed_alarms ADD COLUMN phase TEXT NOT NULL DEFAULT 'start';
ALTER TABLE pushed_alarms ADD COLUMN lasted_ms INTEGER;
-- Of an end: the delivery of the start that it belongs to. Without that start it is not sent.
ALTER TABLE deliveries ADD COLUMN start_id INTEGER;
