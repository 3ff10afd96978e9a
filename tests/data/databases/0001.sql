BEGIN TRANSACTION;
CREATE TABLE act (
	id INTEGER NOT NULL, 
	person TEXT NOT NULL, 
	client_id TEXT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	pipeline_run_id INTEGER, 
	walk TEXT, 
	body JSON NOT NULL, 
	answer JSON NOT NULL, 
	undone_by INTEGER, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_act PRIMARY KEY (id), 
	CONSTRAINT fk_act_pipeline_run_id_pipeline_run FOREIGN KEY(pipeline_run_id) REFERENCES pipeline_run (id), 
	CONSTRAINT uq_act_person_client_id UNIQUE (person, client_id)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE backend (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	url TEXT NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	health VARCHAR(32) NOT NULL, 
	health_detail TEXT NOT NULL, 
	version TEXT NOT NULL, 
	simulator BOOLEAN NOT NULL, 
	heard_at DATETIME, 
	lease_owner TEXT, 
	lease_until DATETIME, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_backend PRIMARY KEY (id), 
	CONSTRAINT uq_backend_name UNIQUE (name), 
	CONSTRAINT uq_backend_url UNIQUE (url)
);
INSERT INTO "backend" VALUES(1,'gpu','comfyui','http://127.0.0.1:8188',1,'ok','','0.3.64',0,NULL,NULL,NULL,'2026-01-01 12:00:00.000000');
CREATE TABLE candidate (
	id INTEGER NOT NULL, 
	pipeline_run_id INTEGER NOT NULL, 
	pipeline_step_id INTEGER NOT NULL, 
	step_order INTEGER NOT NULL, 
	parent_id INTEGER, 
	path TEXT NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	rejected_ancestors INTEGER NOT NULL, 
	elo_score FLOAT NOT NULL, 
	vote_count INTEGER NOT NULL, 
	child_count INTEGER NOT NULL, 
	reserved INTEGER NOT NULL, 
	child_limit INTEGER NOT NULL, 
	failures INTEGER NOT NULL, 
	image_path TEXT NOT NULL, 
	content_hash TEXT NOT NULL, 
	media_type TEXT NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	thumbhash TEXT NOT NULL, 
	regions JSON NOT NULL, 
	seed BIGINT, 
	job_id INTEGER, 
	output_index INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_candidate PRIMARY KEY (id), 
	CONSTRAINT ck_candidate_ck_candidate_child_count_natural CHECK (child_count >= 0), 
	CONSTRAINT ck_candidate_ck_candidate_rejected_ancestors_natural CHECK (rejected_ancestors >= 0), 
	CONSTRAINT ck_candidate_ck_candidate_reserved_natural CHECK (reserved >= 0), 
	CONSTRAINT fk_candidate_parent_id_candidate FOREIGN KEY(parent_id) REFERENCES candidate (id), 
	CONSTRAINT fk_candidate_pipeline_run_id_pipeline_run FOREIGN KEY(pipeline_run_id) REFERENCES pipeline_run (id), 
	CONSTRAINT fk_candidate_pipeline_step_id_pipeline_step FOREIGN KEY(pipeline_step_id) REFERENCES pipeline_step (id), 
	CONSTRAINT uq_candidate_job_id_output_index UNIQUE (job_id, output_index)
);
INSERT INTO "candidate" VALUES(1,1,1,1,NULL,'/','active',0,1000.0,0,2,0,2,0,'00/00/0000000000000000000000000000000000000000000000000000000000000001.png','0000000000000000000000000000000000000000000000000000000000000001','image/png',768,1024,1000,'','[]',1,NULL,0,'2026-01-01 12:00:00.000000');
INSERT INTO "candidate" VALUES(2,1,2,2,1,'/1/','active',0,1000.0,0,1,0,2,0,'00/00/0000000000000000000000000000000000000000000000000000000000000002.png','0000000000000000000000000000000000000000000000000000000000000002','image/png',768,1024,1000,'','[]',1,NULL,0,'2026-01-01 12:00:00.000000');
INSERT INTO "candidate" VALUES(3,1,2,2,1,'/1/','rejected',0,1000.0,0,0,0,2,0,'00/00/0000000000000000000000000000000000000000000000000000000000000003.png','0000000000000000000000000000000000000000000000000000000000000003','image/png',768,1024,1000,'','[]',1,NULL,0,'2026-01-01 12:00:00.000000');
INSERT INTO "candidate" VALUES(4,1,3,3,2,'/1/2/','active',0,1000.0,0,0,0,2,0,'00/00/0000000000000000000000000000000000000000000000000000000000000004.png','0000000000000000000000000000000000000000000000000000000000000004','image/png',768,1024,1000,'','[]',1,NULL,0,'2026-01-01 12:00:00.000000');
INSERT INTO "candidate" VALUES(5,2,1,1,NULL,'/','active',0,1000.0,0,0,0,2,0,'00/00/0000000000000000000000000000000000000000000000000000000000000005.png','0000000000000000000000000000000000000000000000000000000000000005','image/png',768,1024,1000,'','[]',1,NULL,0,'2026-01-01 12:00:00.000000');
CREATE TABLE event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind TEXT NOT NULL, 
	pipeline_run_id INTEGER, 
	data JSON NOT NULL, 
	created_at DATETIME NOT NULL
);
CREATE TABLE job (
	id INTEGER NOT NULL, 
	pipeline_run_id INTEGER NOT NULL, 
	pipeline_step_id INTEGER NOT NULL, 
	parent_id INTEGER, 
	backend_id INTEGER NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	prompt_id TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	recall BOOLEAN NOT NULL, 
	error_kind TEXT, 
	error TEXT, 
	seed BIGINT NOT NULL, 
	reason JSON NOT NULL, 
	workflow TEXT NOT NULL, 
	kept JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	submitted_at DATETIME, 
	started_at DATETIME, 
	finished_at DATETIME, 
	CONSTRAINT pk_job PRIMARY KEY (id), 
	CONSTRAINT fk_job_backend_id_backend FOREIGN KEY(backend_id) REFERENCES backend (id), 
	CONSTRAINT fk_job_parent_id_candidate FOREIGN KEY(parent_id) REFERENCES candidate (id), 
	CONSTRAINT fk_job_pipeline_run_id_pipeline_run FOREIGN KEY(pipeline_run_id) REFERENCES pipeline_run (id), 
	CONSTRAINT fk_job_pipeline_step_id_pipeline_step FOREIGN KEY(pipeline_step_id) REFERENCES pipeline_step (id), 
	CONSTRAINT uq_job_prompt_id UNIQUE (prompt_id)
);
CREATE TABLE kill (
	id INTEGER NOT NULL, 
	act_id INTEGER NOT NULL, 
	candidate_id INTEGER NOT NULL, 
	killed_by TEXT NOT NULL, 
	blamed_step_id INTEGER, 
	void BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_kill PRIMARY KEY (id), 
	CONSTRAINT fk_kill_act_id_act FOREIGN KEY(act_id) REFERENCES act (id), 
	CONSTRAINT fk_kill_blamed_step_id_pipeline_step FOREIGN KEY(blamed_step_id) REFERENCES pipeline_step (id), 
	CONSTRAINT fk_kill_candidate_id_candidate FOREIGN KEY(candidate_id) REFERENCES candidate (id)
);
CREATE TABLE pipeline (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	description TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_pipeline PRIMARY KEY (id), 
	CONSTRAINT uq_pipeline_name_version UNIQUE (name, version)
);
INSERT INTO "pipeline" VALUES(1,'Portrait',1,'','2026-01-01 12:00:00.000000');
CREATE TABLE pipeline_run (
	id INTEGER NOT NULL, 
	pipeline_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	prompt TEXT NOT NULL, 
	negative_prompt TEXT NOT NULL, 
	parameters JSON NOT NULL, 
	max_children INTEGER NOT NULL, 
	target_leaves INTEGER NOT NULL, 
	policy VARCHAR(32) NOT NULL, 
	priority INTEGER NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	last_order INTEGER NOT NULL, 
	base_failures INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_pipeline_run PRIMARY KEY (id), 
	CONSTRAINT ck_pipeline_run_ck_pipeline_run_max_children_positive CHECK (max_children >= 1), 
	CONSTRAINT ck_pipeline_run_ck_pipeline_run_target_leaves_positive CHECK (target_leaves >= 1), 
	CONSTRAINT fk_pipeline_run_pipeline_id_pipeline FOREIGN KEY(pipeline_id) REFERENCES pipeline (id)
);
INSERT INTO "pipeline_run" VALUES(1,1,'Run 1','a lighthouse','','{}',2,4,'right_to_left',0,'active',4,0,'2026-01-01 12:00:00.000000');
INSERT INTO "pipeline_run" VALUES(2,1,'Run 2','a lighthouse','','{}',2,4,'right_to_left',0,'paused',4,0,'2026-01-01 12:00:00.000000');
CREATE TABLE pipeline_step (
	id INTEGER NOT NULL, 
	pipeline_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	"order" INTEGER NOT NULL, 
	comfy_workflow_json TEXT NOT NULL, 
	bindings JSON NOT NULL, 
	max_children INTEGER, 
	CONSTRAINT pk_pipeline_step PRIMARY KEY (id), 
	CONSTRAINT ck_pipeline_step_ck_pipeline_step_order_from_1 CHECK ("order" >= 1), 
	CONSTRAINT ck_pipeline_step_ck_pipeline_step_max_children_positive CHECK (max_children >= 1), 
	CONSTRAINT fk_pipeline_step_pipeline_id_pipeline FOREIGN KEY(pipeline_id) REFERENCES pipeline (id) ON DELETE CASCADE, 
	CONSTRAINT uq_pipeline_step_pipeline_id_order UNIQUE (pipeline_id, "order")
);
INSERT INTO "pipeline_step" VALUES(1,1,'Base',1,'{"1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sketch-base.safetensors"}, "_meta": {"title": "Load Checkpoint"}}, "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "portrait of a person, warm light", "clip": ["1", 1]}, "_meta": {"title": "Positive Prompt"}}, "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "extra fingers, blurry, cropped", "clip": ["1", 1]}, "_meta": {"title": "Negative Prompt"}}, "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 768, "height": 1024, "batch_size": 1}, "_meta": {"title": "Image Size"}}, "5": {"class_type": "KSampler", "inputs": {"model": ["1", 0], "seed": 1, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0], "denoise": 1.0}, "_meta": {"title": "Draw the Figure"}}, "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}, "_meta": {"title": "VAE Decode"}}, "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "base"}, "_meta": {"title": "Save Image"}}}','{"output": "7", "seed": [{"node": "5", "input": "seed"}], "positive": [{"node": "2", "input": "text"}], "negative": [{"node": "3", "input": "text"}], "width": [{"node": "4", "input": "width"}], "height": [{"node": "4", "input": "height"}], "denoise": [{"node": "5", "input": "denoise"}], "batch": [{"node": "4", "input": "batch_size"}], "variables": {}}',NULL);
INSERT INTO "pipeline_step" VALUES(2,1,'Face Fix',2,'{"1": {"class_type": "LoadImage", "inputs": {"image": "parent.png"}, "_meta": {"title": "Parent Image"}}, "2": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sketch-face.safetensors"}, "_meta": {"title": "Load Checkpoint"}}, "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "detailed face, even eyes", "clip": ["2", 1]}, "_meta": {"title": "Positive Prompt"}}, "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "crossed eyes, smeared mouth", "clip": ["2", 1]}, "_meta": {"title": "Negative Prompt"}}, "5": {"class_type": "VAEEncode", "inputs": {"pixels": ["1", 0], "vae": ["2", 2]}, "_meta": {"title": "VAE Encode"}}, "6": {"class_type": "KSampler", "inputs": {"model": ["2", 0], "seed": 1, "steps": 12, "cfg": 6.0, "sampler_name": "euler", "scheduler": "normal", "positive": ["3", 0], "negative": ["4", 0], "latent_image": ["5", 0], "denoise": 0.45}, "_meta": {"title": "Redraw the Face"}}, "7": {"class_type": "VAEDecode", "inputs": {"samples": ["6", 0], "vae": ["2", 2]}, "_meta": {"title": "VAE Decode"}}, "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "face-fix"}, "_meta": {"title": "Save Image"}}}','{"output": "8", "image": [{"node": "1", "input": "image"}], "seed": [{"node": "6", "input": "seed"}], "positive": [{"node": "3", "input": "text"}], "negative": [{"node": "4", "input": "text"}], "denoise": [{"node": "6", "input": "denoise"}], "variables": {}}',NULL);
INSERT INTO "pipeline_step" VALUES(3,1,'Hand Fix',3,'{"1": {"class_type": "LoadImage", "inputs": {"image": "parent.png"}, "_meta": {"title": "Parent Image"}}, "2": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sketch-hands.safetensors"}, "_meta": {"title": "Load Checkpoint"}}, "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "five fingers, relaxed hand", "clip": ["2", 1]}, "_meta": {"title": "Positive Prompt"}}, "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "fused fingers, extra fingers", "clip": ["2", 1]}, "_meta": {"title": "Negative Prompt"}}, "5": {"class_type": "VAEEncode", "inputs": {"pixels": ["1", 0], "vae": ["2", 2]}, "_meta": {"title": "VAE Encode"}}, "6": {"class_type": "KSampler", "inputs": {"model": ["2", 0], "seed": 1, "steps": 12, "cfg": 6.0, "sampler_name": "euler", "scheduler": "normal", "positive": ["3", 0], "negative": ["4", 0], "latent_image": ["5", 0], "denoise": 0.5}, "_meta": {"title": "Redraw the Hands"}}, "7": {"class_type": "VAEDecode", "inputs": {"samples": ["6", 0], "vae": ["2", 2]}, "_meta": {"title": "VAE Decode"}}, "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "hand-fix"}, "_meta": {"title": "Save Image"}}}','{"output": "8", "image": [{"node": "1", "input": "image"}], "seed": [{"node": "6", "input": "seed"}], "positive": [{"node": "3", "input": "text"}], "negative": [{"node": "4", "input": "text"}], "denoise": [{"node": "6", "input": "denoise"}], "variables": {}}',NULL);
INSERT INTO "pipeline_step" VALUES(4,1,'Upscale',4,'{"1": {"class_type": "LoadImage", "inputs": {"image": "parent.png"}, "_meta": {"title": "Parent Image"}}, "2": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sketch-detail.safetensors"}, "_meta": {"title": "Load Checkpoint"}}, "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "sharp, fine detail", "clip": ["2", 1]}, "_meta": {"title": "Positive Prompt"}}, "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "haloes, blur", "clip": ["2", 1]}, "_meta": {"title": "Negative Prompt"}}, "5": {"class_type": "VAEEncode", "inputs": {"pixels": ["10", 0], "vae": ["2", 2]}, "_meta": {"title": "VAE Encode"}}, "6": {"class_type": "KSampler", "inputs": {"model": ["2", 0], "seed": 1, "steps": 10, "cfg": 6.0, "sampler_name": "euler", "scheduler": "normal", "positive": ["3", 0], "negative": ["4", 0], "latent_image": ["5", 0], "denoise": 0.25}, "_meta": {"title": "Add Detail"}}, "7": {"class_type": "VAEDecode", "inputs": {"samples": ["6", 0], "vae": ["2", 2]}, "_meta": {"title": "VAE Decode"}}, "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "upscale"}, "_meta": {"title": "Save Image"}}, "9": {"class_type": "UpscaleModelLoader", "inputs": {"model_name": "sketch-x2.pth"}, "_meta": {"title": "Load Upscale Model"}}, "10": {"class_type": "ImageUpscaleWithModel", "inputs": {"upscale_model": ["9", 0], "image": ["1", 0]}, "_meta": {"title": "Double the Size"}}}','{"output": "8", "image": [{"node": "1", "input": "image"}], "seed": [{"node": "6", "input": "seed"}], "positive": [{"node": "3", "input": "text"}], "negative": [{"node": "4", "input": "text"}], "denoise": [{"node": "6", "input": "denoise"}], "variables": {}}',NULL);
CREATE TABLE vote (
	id INTEGER NOT NULL, 
	act_id INTEGER NOT NULL, 
	pipeline_run_id INTEGER NOT NULL, 
	pipeline_step_id INTEGER NOT NULL, 
	winner_id INTEGER NOT NULL, 
	loser_id INTEGER NOT NULL, 
	tie BOOLEAN NOT NULL, 
	voter TEXT NOT NULL, 
	client_id TEXT NOT NULL, 
	left_id INTEGER, 
	winner_before FLOAT NOT NULL, 
	loser_before FLOAT NOT NULL, 
	winner_delta FLOAT NOT NULL, 
	loser_delta FLOAT NOT NULL, 
	shown_ms INTEGER, 
	void BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_vote PRIMARY KEY (id), 
	CONSTRAINT ck_vote_ck_vote_two_images CHECK (winner_id <> loser_id), 
	CONSTRAINT fk_vote_act_id_act FOREIGN KEY(act_id) REFERENCES act (id), 
	CONSTRAINT fk_vote_loser_id_candidate FOREIGN KEY(loser_id) REFERENCES candidate (id), 
	CONSTRAINT fk_vote_pipeline_run_id_pipeline_run FOREIGN KEY(pipeline_run_id) REFERENCES pipeline_run (id), 
	CONSTRAINT fk_vote_pipeline_step_id_pipeline_step FOREIGN KEY(pipeline_step_id) REFERENCES pipeline_step (id), 
	CONSTRAINT fk_vote_winner_id_candidate FOREIGN KEY(winner_id) REFERENCES candidate (id)
);
CREATE INDEX ix_pipeline_run_status_priority ON pipeline_run (status, priority);
CREATE INDEX ix_candidate_content_hash ON candidate (content_hash);
CREATE INDEX ix_candidate_path ON candidate (path);
CREATE INDEX ix_candidate_pipeline_run_id_id ON candidate (pipeline_run_id, id);
CREATE INDEX ix_candidate_open ON candidate (pipeline_run_id, step_order, id) WHERE candidate.status = 'active' AND candidate.rejected_ancestors = 0 AND candidate.failures < 3 AND candidate.child_limit > candidate.child_count + candidate.reserved;
CREATE INDEX ix_candidate_ranking ON candidate (pipeline_run_id, step_order, elo_score DESC, vote_count DESC, id) WHERE candidate.status = 'active' AND candidate.rejected_ancestors = 0;
CREATE INDEX ix_job_pipeline_run_id_id ON job (pipeline_run_id, id);
CREATE INDEX ix_job_in_flight ON job (backend_id, id) WHERE job.status IN ('pending', 'submitted', 'running') OR job.recall;
CREATE INDEX ix_job_run_in_flight ON job (pipeline_run_id, parent_id) WHERE job.status IN ('pending', 'submitted', 'running');
CREATE INDEX ix_act_person_id ON act (person, id);
CREATE INDEX ix_vote_act_id ON vote (act_id);
CREATE INDEX ix_vote_loser_id_voter ON vote (loser_id, voter);
CREATE INDEX ix_vote_winner_id_voter ON vote (winner_id, voter);
CREATE INDEX ix_kill_act_id ON kill (act_id);
CREATE INDEX ix_kill_candidate_id ON kill (candidate_id);
DELETE FROM "sqlite_sequence";
COMMIT;
