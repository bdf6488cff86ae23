-- Multi-node parallel jobs. Their nodes are rows of `children`, made when they first get their places; those without a row, and those
-- that are RUNNABLE, stand as their job does. The row of the job stands as its main node.
ALTER TABLE jobs ADD COLUMN node_count INTEGER;     -- such jobs only, as is the next
ALTER TABLE jobs ADD COLUMN main_node INTEGER;
ALTER TABLE job_contents ADD COLUMN nodes TEXT;     -- JSON: how to run the nodes
ALTER TABLE children ADD COLUMN stopping TEXT;      -- JSON: why the node was asked to stop; of arrays' children `arrays` has it
