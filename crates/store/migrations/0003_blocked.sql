-- JSON: what is done about a front that has been blocked for too long.
ALTER TABLE queues ADD COLUMN actions TEXT NOT NULL DEFAULT '[]';

-- JSON: the front of the queue and what is in its way; NULL when nothing is. Its job's status reason is made from it when it is read.
ALTER TABLE queues ADD COLUMN blocked TEXT;
