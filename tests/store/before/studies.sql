BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'finished');
INSERT INTO "studies" VALUES(2,'finished (confirm)');
INSERT INTO "studies" VALUES(3,'interrupted');
INSERT INTO "studies" VALUES(4,'goals');
INSERT INTO "studies" VALUES(5,'goals (confirm)');
INSERT INTO "studies" VALUES(6,'failed');
INSERT INTO "studies" VALUES(7,'warm');
INSERT INTO "studies" VALUES(8,'warm (confirm)');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MINIMIZE',1,0);
INSERT INTO "study_directions" VALUES(2,'MINIMIZE',2,0);
INSERT INTO "study_directions" VALUES(3,'MINIMIZE',3,0);
INSERT INTO "study_directions" VALUES(4,'MINIMIZE',4,0);
INSERT INTO "study_directions" VALUES(5,'MAXIMIZE',4,1);
INSERT INTO "study_directions" VALUES(6,'MINIMIZE',5,0);
INSERT INTO "study_directions" VALUES(7,'MAXIMIZE',5,1);
INSERT INTO "study_directions" VALUES(8,'MINIMIZE',6,0);
INSERT INTO "study_directions" VALUES(9,'MINIMIZE',7,0);
INSERT INTO "study_directions" VALUES(10,'MINIMIZE',8,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_system_attributes" VALUES(1,1,'study:metric_names','["val_loss"]');
INSERT INTO "study_system_attributes" VALUES(2,1,'dashboard:note_ver','2');
INSERT INTO "study_system_attributes" VALUES(3,1,'dashboard:note_str:0','"# finished\n\nA finished study with fresh runs and a tested winner.\n\n|  |  |\n| --- | --- |\n| goal | minimize val_loss |\n| trials | 6: 2 complete, 4 pruned |\n| training steps | 10 |\n| best in the search | 0.5881 (trial 1) |\n| winner | **0.68 \u00b1 0.33** (trial 1, mean of 2 fresh runs) |\n| on the test split | accuracy 0.6333, balanced_accuracy 0.6333, f1_macro 0.5108, roc_auc 0.8283, log_loss 0.7696 (trial 1, trained again) |\n\n## Finalists\n\n| trial | in the search | fresh runs | learning_rate | width |\n| --- | --- | --- | --- | --- |\n| 1 | 0.5881 | 0.68 \u00b1 0.33 | 0.04446 | 8 |\n| 2 | 0.8067 | 0.88 \u00b1 0.33 | 0.04384 | 4 |\n\n## Next\n\n```\nhpo show --study finished\nhpo export --study finished --output best.yaml\nhpo train best.yaml\n```\n\n## Study file\n\n```yaml\n# A finished study with fresh runs and a tested winner.\nobjective: mlp\ndata: iris\ngoal: minimize val_loss\nsearch:\n  learning_rate:\n    float: [0.001, 0.1]\n    log: true\n  width:\n    choice: [4, 8]\nfixed: {epochs: 3}\nbudget: {trials: 6}\nsampler: tpe\nconfirm: {top: 2, seeds: 2}\n```\n"');
INSERT INTO "study_system_attributes" VALUES(4,1,'hpo:note','"66fcf96773a5"');
INSERT INTO "study_system_attributes" VALUES(5,3,'study:metric_names','["loss"]');
INSERT INTO "study_system_attributes" VALUES(6,3,'dashboard:note_ver','1');
INSERT INTO "study_system_attributes" VALUES(7,3,'dashboard:note_str:0','"# interrupted\n\nOne that was killed while some of its trials were paused and one was running.\n\n|  |  |\n| --- | --- |\n| goal | minimize loss |\n\nNo winner has been chosen yet.\n\n## Study file\n\n```yaml\n# One that was killed while some of its trials were paused and one was running.\nobjective: ./own.py\ngoal: minimize loss\nsearch:\n  x:\n    float: [0, 1]\n  power:\n    int: [1, 3]\nbudget: {steps: 36}\nsampler: freeze-thaw\nconfirm: {top: 2, seeds: 2}\n```\n"');
INSERT INTO "study_system_attributes" VALUES(8,3,'hpo:note','"48c4ca32b26c"');
INSERT INTO "study_system_attributes" VALUES(9,4,'study:metric_names','["loss", "size"]');
INSERT INTO "study_system_attributes" VALUES(10,4,'dashboard:note_ver','2');
INSERT INTO "study_system_attributes" VALUES(11,4,'dashboard:note_str:0','"# goals\n\nOne of several goals.\n\n|  |  |\n| --- | --- |\n| goal | minimize loss, maximize best size |\n| trials | 6: 6 complete |\n| training steps | 18 |\n\n## Pareto front\n\n| trial | in the search | fresh runs | x | kind | power |\n| --- | --- | --- | --- | --- | --- |\n| 5 | loss 0.4581, size 2.529 | loss 0.4119, size 0.7941 | 0.2934 | a | 1 |\n| 0 | loss 0.4397, size 1.24 | loss 0.4147, size 0.6827 | 0.1821 | b |  |\n\n## Next\n\n```\nhpo show --study goals\nhpo export --study goals --output best.yaml\nhpo train best.yaml\n```\n\n## Study file\n\n```yaml\n# One of several goals.\nobjective: ./own.py\ngoal: [minimize loss, maximize best size]\nsearch:\n  x:\n    float: [0, 1]\n  power:\n    int: [1, 3]\n    when: {kind: a}\n  kind:\n    choice: [a, b]\nfixed: {epochs: 3}\nbudget: {trials: 6}\nsampler: nsga2\nconfirm: {top: 2, seeds: 1}\n```\n"');
INSERT INTO "study_system_attributes" VALUES(12,4,'hpo:note','"84a8009c99ae"');
INSERT INTO "study_system_attributes" VALUES(13,6,'study:metric_names','["loss"]');
INSERT INTO "study_system_attributes" VALUES(14,6,'dashboard:note_ver','2');
INSERT INTO "study_system_attributes" VALUES(15,6,'dashboard:note_str:0','"# failed\n\nOne with failed trials, some of which were tried again.\n\n|  |  |\n| --- | --- |\n| goal | minimize loss |\n| trials | 9: 4 complete, 5 failed |\n| training steps | 17 |\n| best in the search | 0.4649 (trial 3) |\n| winner | **0.4649** (trial 3, not confirmed by fresh runs) |\n\n## Finalists\n\n| trial | in the search | fresh runs | x | kind |\n| --- | --- | --- | --- | --- |\n| 3 | 0.4649 |  | 0 | luck |\n\n## Next\n\n```\nhpo show --study failed\nhpo export --study failed --output best.yaml\nhpo train best.yaml\n```\n\n## Study file\n\n```yaml\n# One with failed trials, some of which were tried again.\nobjective: ./own.py\ngoal: minimize loss\nsearch:\n  x:\n    float: [0, 0.8]\n    step: 0.4\n  kind:\n    choice: [a, luck, bad]\nfixed: {epochs: 3}\nbudget: {trials: 7}\nsampler: random\npruner: median\nconfirm: none\n```\n"');
INSERT INTO "study_system_attributes" VALUES(16,6,'hpo:note','"b0d4c0a53332"');
INSERT INTO "study_system_attributes" VALUES(17,7,'evidence','{"earlier": [{"curve": [[1, 1.1024783177546769], [2, 0.6829473764424026], [3, 0.4649206000768304]], "point": {"kind": "luck", "x": 0.0}, "state": "complete"}, {"curve": [[1, 1.1280621386968586], [2, 0.5278028038293014], [3, 0.46496759404495175]], "point": {"kind": "a", "x": 0.4}, "state": "complete"}, {"curve": [[1, 1.1591280949536122], [2, 0.6762346699235803], [3, 0.5186935002327551]], "point": {"kind": "a", "x": 0.0}, "state": "complete"}, {"curve": [[1, 1.308740482064047], [2, 0.8984420792174566], [3, 0.6451511460814484]], "point": {"kind": "a", "x": 0.8}, "state": "complete"}, {"curve": [[1, 1.093041055756046]], "point": {"kind": "luck", "x": 0.0}, "state": "failed"}, {"curve": [[1, 1.3869250259219739]], "point": {"kind": "luck", "x": 0.8}, "state": "failed"}], "named": {"prior": {"x": 0.3}, "warm_start": ["failed"]}, "since": 0, "starts": [{"x": 0.3}, {"kind": "luck", "x": 0.0}, {"kind": "a", "x": 0.4}, {"kind": "a", "x": 0.0}], "taken": {"failed": 6}}');
INSERT INTO "study_system_attributes" VALUES(18,7,'study:metric_names','["loss"]');
INSERT INTO "study_system_attributes" VALUES(19,7,'dashboard:note_ver','2');
INSERT INTO "study_system_attributes" VALUES(20,7,'dashboard:note_str:0','"# warm\n\nOne that was given an earlier study and a guess.\n\n|  |  |\n| --- | --- |\n| goal | minimize loss |\n| known before | the prior x 0.3; 6 trials of ''failed'' |\n| trials | 4: 1 complete, 2 pruned, 1 failed |\n| training steps | 6 |\n| best in the search | 0.3652 (trial 2) |\n| winner | **0.46 \u00b1 0.29** (trial 2, mean of 2 fresh runs) |\n\n## Finalists\n\n| trial | in the search | fresh runs | x | kind |\n| --- | --- | --- | --- | --- |\n| 2 | 0.3652 | 0.46 \u00b1 0.29 | 0.4 | a |\n\n## Next\n\n```\nhpo show --study warm\nhpo export --study warm --output best.yaml\nhpo train best.yaml\n```\n\n## Study file\n\n```yaml\n# One that was given an earlier study and a guess.\nobjective: ./own.py\ngoal: minimize loss\nsearch:\n  x:\n    float: [0, 1]\n  kind:\n    choice: [a, luck]\nfixed: {epochs: 3}\nbudget: {trials: 4}\nsampler: tpe\nprior: {x: 0.3}\nwarm_start: failed\nconfirm: {top: 1, seeds: 2}\n```\n"');
INSERT INTO "study_system_attributes" VALUES(21,7,'hpo:note','"e8c195e046b6"');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'definition','{"data": "602d2fdc48b8", "fixed": {"epochs": 3}, "goals": ["minimize val_loss"], "objective": "mlp", "prior": {}, "pruner": "successive-halving", "sampler": "tpe", "seed": 0, "source": null, "space": {"learning_rate": {"domain": {"high": 0.1, "kind": "float", "log": true, "low": 0.001, "step": null}, "when": []}, "width": {"domain": {"kind": "choice", "values": [4, 8]}, "when": []}}, "versions": {"hpo-suite": "0.1.0", "numpy": "2.4.6", "optuna": "5.0.0", "python": "3.11.7", "scikit-learn": "1.9.1", "torch": "2.13.0+cpu"}, "warm_start": {}}');
INSERT INTO "study_user_attributes" VALUES(2,1,'question','"A finished study with fresh runs and a tested winner."');
INSERT INTO "study_user_attributes" VALUES(3,1,'study_file','"# A finished study with fresh runs and a tested winner.\nobjective: mlp\ndata: iris\ngoal: minimize val_loss\nsearch:\n  learning_rate:\n    float: [0.001, 0.1]\n    log: true\n  width:\n    choice: [4, 8]\nfixed: {epochs: 3}\nbudget: {trials: 6}\nsampler: tpe\nconfirm: {top: 2, seeds: 2}\n"');
INSERT INTO "study_user_attributes" VALUES(4,1,'task','{"objective": "mlp", "data": "iris", "split_seed": 877757775, "folder": "/tmp/study", "device": "cpu", "memory_limit": null, "silence": 600.0}');
INSERT INTO "study_user_attributes" VALUES(5,2,'seconds','0.064');
INSERT INTO "study_user_attributes" VALUES(6,1,'seconds','0.424');
INSERT INTO "study_user_attributes" VALUES(7,1,'winner','{"recipe": {"epochs": 3, "learning_rate": 0.0444636959247948, "seed": 2033310270, "width": 8}, "candidates": [{"trial": 1, "point": {"learning_rate": 0.0444636959247948, "width": 8}, "searched": [0.5881369709968567], "runs": [[0.7527294754981995], [0.604547917842865]], "mean": [0.6786386966705322], "half": [0.3266859101007744]}, {"trial": 2, "point": {"learning_rate": 0.043836543183390496, "width": 4}, "searched": [0.8067247867584229], "runs": [[0.8045262694358826], [0.9599645137786865]], "mean": [0.8822453916072845], "half": [0.3266859101007744]}], "test": {"loss": 0.7695929408073425, "accuracy": 0.6333333333333333, "balanced_accuracy": 0.6333333333333333, "f1_macro": 0.5108225108225108, "precision_macro": 0.4351851851851852, "recall_macro": 0.6333333333333333, "matthews_corrcoef": 0.5303300858899106, "roc_auc": 0.8283333333333335, "average_precision": 0.7333112601765852, "log_loss": 0.7695928026472746}}');
INSERT INTO "study_user_attributes" VALUES(8,3,'definition','{"data": null, "fixed": {}, "goals": ["minimize loss"], "objective": "./own.py", "prior": {}, "pruner": "none", "sampler": "freeze-thaw", "seed": 0, "source": "ba8dd18cef08", "space": {"power": {"domain": {"high": 3, "kind": "int", "log": false, "low": 1, "step": 1}, "when": []}, "x": {"domain": {"high": 1.0, "kind": "float", "log": false, "low": 0.0, "step": null}, "when": []}}, "versions": {"hpo-suite": "0.1.0", "numpy": "2.4.6", "optuna": "5.0.0", "python": "3.11.7", "scikit-learn": "1.9.1", "torch": "2.13.0+cpu"}, "warm_start": {}}');
INSERT INTO "study_user_attributes" VALUES(9,3,'question','"One that was killed while some of its trials were paused and one was running."');
INSERT INTO "study_user_attributes" VALUES(10,3,'study_file','"# One that was killed while some of its trials were paused and one was running.\nobjective: ./own.py\ngoal: minimize loss\nsearch:\n  x:\n    float: [0, 1]\n  power:\n    int: [1, 3]\nbudget: {steps: 36}\nsampler: freeze-thaw\nconfirm: {top: 2, seeds: 2}\n"');
INSERT INTO "study_user_attributes" VALUES(11,3,'task','{"objective": "/tmp/study/own.py", "data": null, "split_seed": 877757775, "folder": "/tmp/study", "device": "cpu", "memory_limit": null, "silence": 600.0}');
INSERT INTO "study_user_attributes" VALUES(12,3,'policy','{"points": 28, "theta": [0.7601388383217722, 0.49584834607564415, -3.5263719537653975, -4.026166183620734, -4.026799025351089, -0.7427047731800319, -0.9179720682389231, -1.6410855181799153, -5.113500374131038, -5.010223819915135, -4.389835550527298, -6.906451412621633]}');
INSERT INTO "study_user_attributes" VALUES(13,4,'definition','{"data": null, "fixed": {"epochs": 3}, "goals": ["minimize loss", "maximize best size"], "objective": "./own.py", "prior": {}, "pruner": "none", "sampler": "nsga2", "seed": 0, "source": "ba8dd18cef08", "space": {"kind": {"domain": {"kind": "choice", "values": ["a", "b"]}, "when": []}, "power": {"domain": {"high": 3, "kind": "int", "log": false, "low": 1, "step": 1}, "when": [["kind", ["a"]]]}, "x": {"domain": {"high": 1.0, "kind": "float", "log": false, "low": 0.0, "step": null}, "when": []}}, "versions": {"hpo-suite": "0.1.0", "numpy": "2.4.6", "optuna": "5.0.0", "python": "3.11.7", "scikit-learn": "1.9.1", "torch": "2.13.0+cpu"}, "warm_start": {}}');
INSERT INTO "study_user_attributes" VALUES(14,4,'question','"One of several goals."');
INSERT INTO "study_user_attributes" VALUES(15,4,'study_file','"# One of several goals.\nobjective: ./own.py\ngoal: [minimize loss, maximize best size]\nsearch:\n  x:\n    float: [0, 1]\n  power:\n    int: [1, 3]\n    when: {kind: a}\n  kind:\n    choice: [a, b]\nfixed: {epochs: 3}\nbudget: {trials: 6}\nsampler: nsga2\nconfirm: {top: 2, seeds: 1}\n"');
INSERT INTO "study_user_attributes" VALUES(16,4,'task','{"objective": "/tmp/study/own.py", "data": null, "split_seed": 877757775, "folder": "/tmp/study", "device": "cpu", "memory_limit": null, "silence": 600.0}');
INSERT INTO "study_user_attributes" VALUES(17,5,'seconds','0.003');
INSERT INTO "study_user_attributes" VALUES(18,4,'seconds','0.056');
INSERT INTO "study_user_attributes" VALUES(19,4,'winner','{"recipe": {"epochs": 3, "kind": "a", "power": 1, "seed": 2033310270, "x": 0.2934051217278053}, "candidates": [{"trial": 5, "point": {"x": 0.2934051217278053, "kind": "a", "power": 1}, "searched": [0.4580775048249607, 2.5290167306381717], "runs": [[0.4119341814879579, 0.7940607335184315]], "mean": [0.4119341814879579, 0.7940607335184315], "half": null}, {"trial": 0, "point": {"x": 0.18206893289686277, "kind": "b"}, "searched": [0.4396537874721935, 1.2399276025965413], "runs": [[0.41466480677352324, 0.682724544687489]], "mean": [0.41466480677352324, 0.682724544687489], "half": null}]}');
INSERT INTO "study_user_attributes" VALUES(20,6,'definition','{"data": null, "fixed": {"epochs": 3}, "goals": ["minimize loss"], "objective": "./own.py", "prior": {}, "pruner": "median", "sampler": "random", "seed": 0, "source": "ba8dd18cef08", "space": {"kind": {"domain": {"kind": "choice", "values": ["a", "luck", "bad"]}, "when": []}, "x": {"domain": {"high": 0.8, "kind": "float", "log": false, "low": 0.0, "step": 0.4}, "when": []}}, "versions": {"hpo-suite": "0.1.0", "numpy": "2.4.6", "optuna": "5.0.0", "python": "3.11.7", "scikit-learn": "1.9.1", "torch": "2.13.0+cpu"}, "warm_start": {}}');
INSERT INTO "study_user_attributes" VALUES(21,6,'question','"One with failed trials, some of which were tried again."');
INSERT INTO "study_user_attributes" VALUES(22,6,'study_file','"# One with failed trials, some of which were tried again.\nobjective: ./own.py\ngoal: minimize loss\nsearch:\n  x:\n    float: [0, 0.8]\n    step: 0.4\n  kind:\n    choice: [a, luck, bad]\nfixed: {epochs: 3}\nbudget: {trials: 7}\nsampler: random\npruner: median\nconfirm: none\n"');
INSERT INTO "study_user_attributes" VALUES(23,6,'task','{"objective": "/tmp/study/own.py", "data": null, "split_seed": 877757775, "folder": "/tmp/study", "device": "cpu", "memory_limit": null, "silence": 600.0}');
INSERT INTO "study_user_attributes" VALUES(24,6,'seconds','0.102');
INSERT INTO "study_user_attributes" VALUES(25,6,'winner','{"recipe": {"epochs": 3, "kind": "luck", "seed": 2097860887, "x": 0.0}, "candidates": [{"trial": 3, "point": {"x": 0.0, "kind": "luck"}, "searched": [0.4649206000768304], "runs": [], "mean": [0.4649206000768304], "half": null}]}');
INSERT INTO "study_user_attributes" VALUES(26,7,'definition','{"data": null, "fixed": {"epochs": 3}, "goals": ["minimize loss"], "objective": "./own.py", "prior": {"x": 0.3}, "pruner": "successive-halving", "sampler": "tpe", "seed": 0, "source": "ba8dd18cef08", "space": {"kind": {"domain": {"kind": "choice", "values": ["a", "luck"]}, "when": []}, "x": {"domain": {"high": 1.0, "kind": "float", "log": false, "low": 0.0, "step": null}, "when": []}}, "versions": {"hpo-suite": "0.1.0", "numpy": "2.4.6", "optuna": "5.0.0", "python": "3.11.7", "scikit-learn": "1.9.1", "torch": "2.13.0+cpu"}, "warm_start": {"failed": 6}}');
INSERT INTO "study_user_attributes" VALUES(27,7,'question','"One that was given an earlier study and a guess."');
INSERT INTO "study_user_attributes" VALUES(28,7,'study_file','"# One that was given an earlier study and a guess.\nobjective: ./own.py\ngoal: minimize loss\nsearch:\n  x:\n    float: [0, 1]\n  kind:\n    choice: [a, luck]\nfixed: {epochs: 3}\nbudget: {trials: 4}\nsampler: tpe\nprior: {x: 0.3}\nwarm_start: failed\nconfirm: {top: 1, seeds: 2}\n"');
INSERT INTO "study_user_attributes" VALUES(29,7,'task','{"objective": "/tmp/study/own.py", "data": null, "split_seed": 877757775, "folder": "/tmp/study", "device": "cpu", "memory_limit": null, "silence": 600.0}');
INSERT INTO "study_user_attributes" VALUES(30,8,'seconds','0.003');
INSERT INTO "study_user_attributes" VALUES(31,7,'seconds','0.549');
INSERT INTO "study_user_attributes" VALUES(32,7,'winner','{"recipe": {"epochs": 3, "kind": "a", "seed": 2033310270, "x": 0.4}, "candidates": [{"trial": 2, "point": {"x": 0.4, "kind": "a"}, "searched": [0.3651511460814484], "runs": [[0.4325501768957523], [0.4777389727547824]], "mean": [0.4551445748252674], "half": [0.28708904598301965]}]}');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,1,1.14637267589569091796e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,2,1,7.95836746692657470703e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,3,1,9.8296833038330078125e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,4,1,1.01696920394897460937e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,5,1,1.16119527816772460937e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,6,1,1.07031476497650146484e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,2,2,6.18566811084747314453e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,2,3,5.88136970996856689453e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(9,3,2,8.4090620279312133789e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(10,3,3,8.06724786758422851562e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(11,7,1,8.63180041313171386718e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(12,7,2,7.66739249229431152343e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(13,7,3,7.5272947549819946289e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(14,8,1,9.64206039905548095703e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(15,8,2,8.37496519088745117187e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(16,8,3,8.04526269435882568359e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(17,9,1,7.85154044628143310546e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(18,9,2,6.26801431179046630859e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(19,9,3,0.604547917842865,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(20,10,1,1.05153512954711914062e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(21,10,2,0.980905294418335,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(22,10,3,9.59964513778686523437e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(23,11,1,2.31843536155306262358e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(24,12,1,3.16935967486311653829e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(25,13,1,2.00838539115865044593e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(26,14,1,1.07950340401207722784e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(27,15,1,3.37000400063547,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(28,16,1,1.19331561063939561861e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(29,17,1,3.046151039118122128e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(30,18,1,2.06583920742024362837e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(31,19,1,3.43685350901815489521e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(32,13,2,1.09808698831206,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(33,14,2,6.56818676381685673248e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(34,14,3,3.98776395819217643889e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(35,14,4,3.68347629721245406475e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(36,14,5,2.89132936730480849529e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(37,16,2,7.10422185609363654457e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(38,16,3,5.52881015918538443187e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(39,20,1,2.17575607530691739199e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(40,13,3,6.78129388509385311323e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(41,18,2,1.0890799754301623281e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(42,18,3,7.88495113693285176736e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(43,18,4,6.45673425765336483905e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(44,21,1,1.55609706792135438213e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(45,18,5,5.45819931215820175474e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(46,21,2,1.1685401619021644759e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(47,21,3,8.97522568685135802013e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(48,22,1,1.18132989276721422911e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(49,22,2,6.54394626175194726869e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(50,22,3,4.85715416315497305888e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(51,22,4,3.7845878684708533779e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(52,22,5,3.21065808138952135664e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(53,24,1,1.03515568563381687994e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(54,24,2,5.54676655592424738827e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(55,24,3,4.39653787472193524621e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(56,25,1,1.41390421703724489255e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(57,25,2,8.47416040379028734363e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(58,25,3,7.02466605129299148657e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(59,26,1,2.33218801588260404855e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(60,26,2,1.42188961303601346664e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(61,26,3,1.0019320132333386919e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(62,27,1,2.48556908957322,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(63,27,2,1.56288436194282853719e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(64,27,3,1.13817541471369376715e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(65,28,1,3.0611923215987455471e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(66,28,2,1.61789158173825708963e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(67,28,3,1.01089101776357237483e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(68,29,1,1.09851209954581774397e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(69,29,2,6.15618674515785890832e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(70,29,3,4.58077504824960679563e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(71,30,1,1.1001799448441769158e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(72,30,2,6.07716935781869804777e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(73,30,3,4.14664806773523242355e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(74,31,1,1.0974493195586114691e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(75,31,2,6.04986310496304469097e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(76,31,3,4.11934181487957906675e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(77,32,1,1.0930410557560459317e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(78,33,1,1.38692502592197386412e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(79,34,1,1.30874048206404691718e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(80,34,2,8.98442079217456557316e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(81,34,3,6.45151146081448412239e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(82,35,1,1.10247831775467686199e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(83,35,2,6.82947376442402553919e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(84,35,3,4.64920600076830392577e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(85,36,1,1.12329182862453924585e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(86,37,1,1.15912809495361224243e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(87,37,2,6.76234669923580278272e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(88,37,3,5.18693500232755067003e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(89,38,1,1.06431826274814977928e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(90,39,1,1.09619125335674616472e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(91,40,1,1.12806213869685856288e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(92,40,2,5.2780280382930144789e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(93,40,3,4.6496759404495174861e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(94,41,1,1.03304105575604587841e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(95,42,1,1.14692502592197387301e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(96,43,1,1.02874048206404689054e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(97,43,2,6.1844207921745653067e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(98,43,3,3.65151146081448385594e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(99,44,1,1.10247831775467686199e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(100,45,1,1.11806531496640593204e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(101,45,2,6.25602305904098821009e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(102,45,3,4.32550176895752314099e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(103,46,1,1.14508083547233852073e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(104,46,2,5.436236596645847019e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(105,46,3,4.7773897275478238722e-01,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'learning_rate',2.31279886638436401463e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(2,1,'width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(3,2,'learning_rate',0.0444636959247948,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(4,2,'width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(5,3,'learning_rate',4.38365431833904958813e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(6,3,'width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(7,4,'learning_rate',6.8399309436368391224e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(8,4,'width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(9,5,'learning_rate',3.46756524262040481329e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(10,5,'width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(11,6,'learning_rate',3.86198198377638805128e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(12,6,'width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(13,7,'learning_rate',0.0444636959247948,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(14,7,'width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(15,8,'learning_rate',4.38365431833904958813e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(16,8,'width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(17,9,'learning_rate',0.0444636959247948,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(18,9,'width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(19,10,'learning_rate',4.38365431833904958813e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(20,10,'width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [4, 8]}}');
INSERT INTO "trial_params" VALUES(21,11,'x',7.86557830803928159646e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(22,11,'power',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(23,12,'x',0.541435497050621,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(24,12,'power',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(25,13,'x',2.96313163297313497679e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(26,13,'power',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(27,14,'x',5.11908295440064442516e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(28,14,'power',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(29,15,'x',8.06068495790699390823e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(30,15,'power',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(31,16,'x',0.560946162037391,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(32,16,'power',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(33,17,'x',3.158238282840839517e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(34,17,'power',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(35,18,'x',0.0707014945307769,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(36,18,'power',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(37,19,'x',8.25579160777469844845e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(38,19,'power',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(39,20,'x',5.80456827024162791417e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(40,20,'power',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(41,21,'x',9.94806731762350904268e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(42,21,'power',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(43,22,'x',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(44,22,'power',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(45,23,'x',1.57860707906379849063e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(46,23,'power',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(47,24,'x',1.82068932896862767378e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(48,24,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(49,25,'x',8.24002779710404364976e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(50,25,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(51,26,'x',8.20918149841601163529e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(52,26,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(53,26,'power',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(54,27,'x',9.17525858539235295019e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(55,27,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(56,27,'power',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(57,28,'x',2.70012320560255369983e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(58,28,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(59,28,'power',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(60,29,'x',2.93405121727805306974e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(61,29,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(62,29,'power',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(63,30,'x',1.82068932896862767378e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(64,30,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(65,31,'x',2.93405121727805306974e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(66,31,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(67,31,'power',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 3}}');
INSERT INTO "trial_params" VALUES(68,32,'x',0.0,'{"name": "FloatDistribution", "attributes": {"step": 0.4, "low": 0.0, "high": 0.8, "log": false}}');
INSERT INTO "trial_params" VALUES(69,32,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck", "bad"]}}');
INSERT INTO "trial_params" VALUES(70,33,'x',0.8,'{"name": "FloatDistribution", "attributes": {"step": 0.4, "low": 0.0, "high": 0.8, "log": false}}');
INSERT INTO "trial_params" VALUES(71,33,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck", "bad"]}}');
INSERT INTO "trial_params" VALUES(72,34,'x',0.8,'{"name": "FloatDistribution", "attributes": {"step": 0.4, "low": 0.0, "high": 0.8, "log": false}}');
INSERT INTO "trial_params" VALUES(73,34,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck", "bad"]}}');
INSERT INTO "trial_params" VALUES(74,35,'x',0.0,'{"name": "FloatDistribution", "attributes": {"step": 0.4, "low": 0.0, "high": 0.8, "log": false}}');
INSERT INTO "trial_params" VALUES(75,35,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck", "bad"]}}');
INSERT INTO "trial_params" VALUES(76,36,'x',0.0,'{"name": "FloatDistribution", "attributes": {"step": 0.4, "low": 0.0, "high": 0.8, "log": false}}');
INSERT INTO "trial_params" VALUES(77,36,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck", "bad"]}}');
INSERT INTO "trial_params" VALUES(78,37,'x',0.0,'{"name": "FloatDistribution", "attributes": {"step": 0.4, "low": 0.0, "high": 0.8, "log": false}}');
INSERT INTO "trial_params" VALUES(79,37,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck", "bad"]}}');
INSERT INTO "trial_params" VALUES(80,38,'x',0.4,'{"name": "FloatDistribution", "attributes": {"step": 0.4, "low": 0.0, "high": 0.8, "log": false}}');
INSERT INTO "trial_params" VALUES(81,38,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck", "bad"]}}');
INSERT INTO "trial_params" VALUES(82,39,'x',0.0,'{"name": "FloatDistribution", "attributes": {"step": 0.4, "low": 0.0, "high": 0.8, "log": false}}');
INSERT INTO "trial_params" VALUES(83,39,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck", "bad"]}}');
INSERT INTO "trial_params" VALUES(84,40,'x',0.4,'{"name": "FloatDistribution", "attributes": {"step": 0.4, "low": 0.0, "high": 0.8, "log": false}}');
INSERT INTO "trial_params" VALUES(85,40,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck", "bad"]}}');
INSERT INTO "trial_params" VALUES(86,41,'x',0.3,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(87,41,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck"]}}');
INSERT INTO "trial_params" VALUES(88,42,'x',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(89,42,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck"]}}');
INSERT INTO "trial_params" VALUES(90,43,'x',0.4,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(91,43,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck"]}}');
INSERT INTO "trial_params" VALUES(92,44,'x',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(93,44,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck"]}}');
INSERT INTO "trial_params" VALUES(94,45,'x',0.4,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(95,45,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck"]}}');
INSERT INTO "trial_params" VALUES(96,46,'x',0.4,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(97,46,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "luck"]}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,11,'paused','true');
INSERT INTO "trial_system_attributes" VALUES(2,12,'paused','true');
INSERT INTO "trial_system_attributes" VALUES(3,13,'paused','true');
INSERT INTO "trial_system_attributes" VALUES(4,14,'paused','false');
INSERT INTO "trial_system_attributes" VALUES(5,15,'paused','true');
INSERT INTO "trial_system_attributes" VALUES(6,16,'paused','true');
INSERT INTO "trial_system_attributes" VALUES(7,17,'paused','true');
INSERT INTO "trial_system_attributes" VALUES(8,18,'paused','false');
INSERT INTO "trial_system_attributes" VALUES(9,19,'paused','true');
INSERT INTO "trial_system_attributes" VALUES(10,20,'paused','true');
INSERT INTO "trial_system_attributes" VALUES(11,21,'paused','true');
INSERT INTO "trial_system_attributes" VALUES(12,22,'paused','false');
INSERT INTO "trial_system_attributes" VALUES(13,24,'NSGAIISampler:generation','0');
INSERT INTO "trial_system_attributes" VALUES(14,25,'NSGAIISampler:generation','0');
INSERT INTO "trial_system_attributes" VALUES(15,26,'NSGAIISampler:generation','0');
INSERT INTO "trial_system_attributes" VALUES(16,27,'NSGAIISampler:generation','0');
INSERT INTO "trial_system_attributes" VALUES(17,28,'NSGAIISampler:generation','0');
INSERT INTO "trial_system_attributes" VALUES(18,29,'NSGAIISampler:generation','0');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'recipe','"022286257bd3"');
INSERT INTO "trial_user_attributes" VALUES(2,1,'seed','746405699');
INSERT INTO "trial_user_attributes" VALUES(3,2,'recipe','"335c72976927"');
INSERT INTO "trial_user_attributes" VALUES(4,2,'seed','107832787');
INSERT INTO "trial_user_attributes" VALUES(5,3,'recipe','"dc0b6f64e341"');
INSERT INTO "trial_user_attributes" VALUES(6,3,'seed','2117250515');
INSERT INTO "trial_user_attributes" VALUES(7,4,'recipe','"e92167f8aa12"');
INSERT INTO "trial_user_attributes" VALUES(8,4,'seed','2097860887');
INSERT INTO "trial_user_attributes" VALUES(9,5,'recipe','"f6970ac8dd31"');
INSERT INTO "trial_user_attributes" VALUES(10,5,'seed','717503318');
INSERT INTO "trial_user_attributes" VALUES(11,6,'recipe','"666c214022ae"');
INSERT INTO "trial_user_attributes" VALUES(12,6,'seed','805845946');
INSERT INTO "trial_user_attributes" VALUES(13,1,'metrics','{"train_loss": 1.1647840393914117, "val_loss": 1.146372675895691, "val_accuracy": 0.3333333333333333, "val_balanced_accuracy": 0.3333333333333333, "val_f1_macro": 0.16666666666666666}');
INSERT INTO "trial_user_attributes" VALUES(14,1,'train_seconds','0.006107');
INSERT INTO "trial_user_attributes" VALUES(15,1,'reason','"place 5 of 6 at step 1 (1.14637), of which 2 go on"');
INSERT INTO "trial_user_attributes" VALUES(16,1,'evidence','{"value": 1.146372675895691, "place": 5.0, "trials": 6.0}');
INSERT INTO "trial_user_attributes" VALUES(17,2,'metrics','{"train_loss": 0.6307040956285265, "val_loss": 0.5881369709968567, "val_accuracy": 0.7333333333333333, "val_balanced_accuracy": 0.7333333333333334, "val_f1_macro": 0.6825396825396824}');
INSERT INTO "trial_user_attributes" VALUES(18,2,'train_seconds','0.010566');
INSERT INTO "trial_user_attributes" VALUES(19,3,'metrics','{"train_loss": 0.8226389156447517, "val_loss": 0.8067247867584229, "val_accuracy": 0.6333333333333333, "val_balanced_accuracy": 0.6333333333333333, "val_f1_macro": 0.5085470085470085}');
INSERT INTO "trial_user_attributes" VALUES(20,3,'train_seconds','0.020436');
INSERT INTO "trial_user_attributes" VALUES(21,4,'metrics','{"train_loss": 1.1213003635406493, "val_loss": 1.0169692039489746, "val_accuracy": 0.8333333333333334, "val_balanced_accuracy": 0.8333333333333334, "val_f1_macro": 0.8294970161977835}');
INSERT INTO "trial_user_attributes" VALUES(22,4,'train_seconds','0.002346');
INSERT INTO "trial_user_attributes" VALUES(23,4,'reason','"place 3 of 6 at step 1 (1.01697), of which 2 go on"');
INSERT INTO "trial_user_attributes" VALUES(24,4,'evidence','{"value": 1.0169692039489746, "place": 3.0, "trials": 6.0}');
INSERT INTO "trial_user_attributes" VALUES(25,5,'metrics','{"train_loss": 1.1653257211049397, "val_loss": 1.1611952781677246, "val_accuracy": 0.3333333333333333, "val_balanced_accuracy": 0.3333333333333333, "val_f1_macro": 0.16666666666666666}');
INSERT INTO "trial_user_attributes" VALUES(26,5,'train_seconds','0.002346');
INSERT INTO "trial_user_attributes" VALUES(27,5,'reason','"place 6 of 6 at step 1 (1.1612), of which 2 go on"');
INSERT INTO "trial_user_attributes" VALUES(28,5,'evidence','{"value": 1.1611952781677246, "place": 6.0, "trials": 6.0}');
INSERT INTO "trial_user_attributes" VALUES(29,6,'metrics','{"train_loss": 1.0780364725324842, "val_loss": 1.0703147649765015, "val_accuracy": 0.36666666666666664, "val_balanced_accuracy": 0.3666666666666667, "val_f1_macro": 0.23154623154623155}');
INSERT INTO "trial_user_attributes" VALUES(30,6,'train_seconds','0.002346');
INSERT INTO "trial_user_attributes" VALUES(31,6,'reason','"place 4 of 6 at step 1 (1.07031), of which 2 go on"');
INSERT INTO "trial_user_attributes" VALUES(32,6,'evidence','{"value": 1.0703147649765015, "place": 4.0, "trials": 6.0}');
INSERT INTO "trial_user_attributes" VALUES(33,7,'recipe','"335c72976927"');
INSERT INTO "trial_user_attributes" VALUES(34,7,'seed','2033310270');
INSERT INTO "trial_user_attributes" VALUES(35,8,'recipe','"dc0b6f64e341"');
INSERT INTO "trial_user_attributes" VALUES(36,8,'seed','2033310270');
INSERT INTO "trial_user_attributes" VALUES(37,9,'recipe','"335c72976927"');
INSERT INTO "trial_user_attributes" VALUES(38,9,'seed','697048940');
INSERT INTO "trial_user_attributes" VALUES(39,10,'recipe','"dc0b6f64e341"');
INSERT INTO "trial_user_attributes" VALUES(40,10,'seed','697048940');
INSERT INTO "trial_user_attributes" VALUES(41,7,'metrics','{"train_loss": 0.7680407166481018, "val_loss": 0.7527294754981995, "val_accuracy": 0.6666666666666666, "val_balanced_accuracy": 0.6666666666666666, "val_f1_macro": 0.5333333333333333}');
INSERT INTO "trial_user_attributes" VALUES(42,7,'train_seconds','0.013401');
INSERT INTO "trial_user_attributes" VALUES(43,8,'metrics','{"train_loss": 0.809648519092136, "val_loss": 0.8045262694358826, "val_accuracy": 0.9, "val_balanced_accuracy": 0.9, "val_f1_macro": 0.8950004244121891}');
INSERT INTO "trial_user_attributes" VALUES(44,8,'train_seconds','0.009216');
INSERT INTO "trial_user_attributes" VALUES(45,9,'metrics','{"train_loss": 0.6383334424760606, "val_loss": 0.604547917842865, "val_accuracy": 0.6666666666666666, "val_balanced_accuracy": 0.6666666666666666, "val_f1_macro": 0.5473453749315819}');
INSERT INTO "trial_user_attributes" VALUES(46,9,'train_seconds','0.013401');
INSERT INTO "trial_user_attributes" VALUES(47,10,'metrics','{"train_loss": 0.9779902511172824, "val_loss": 0.9599645137786865, "val_accuracy": 0.6666666666666666, "val_balanced_accuracy": 0.6666666666666666, "val_f1_macro": 0.5555555555555555}');
INSERT INTO "trial_user_attributes" VALUES(48,10,'train_seconds','0.009216');
INSERT INTO "trial_user_attributes" VALUES(49,11,'recipe','"d8a03c544d14"');
INSERT INTO "trial_user_attributes" VALUES(50,11,'seed','746405699');
INSERT INTO "trial_user_attributes" VALUES(51,11,'metrics','{"loss": 2.3184353615530626, "size": 1.3294304407630246}');
INSERT INTO "trial_user_attributes" VALUES(52,11,'train_seconds','0.000181');
INSERT INTO "trial_user_attributes" VALUES(53,12,'recipe','"8e920536161a"');
INSERT INTO "trial_user_attributes" VALUES(54,12,'seed','107832787');
INSERT INTO "trial_user_attributes" VALUES(55,12,'metrics','{"loss": 3.1693596748631165, "size": 0.9023317453657496}');
INSERT INTO "trial_user_attributes" VALUES(56,12,'train_seconds','9.9e-05');
INSERT INTO "trial_user_attributes" VALUES(57,13,'recipe','"b1b2753c2c95"');
INSERT INTO "trial_user_attributes" VALUES(58,13,'seed','2117250515');
INSERT INTO "trial_user_attributes" VALUES(59,13,'metrics','{"loss": 0.6781293885093853, "size": 1.5660820467577992}');
INSERT INTO "trial_user_attributes" VALUES(60,13,'train_seconds','0.002724');
INSERT INTO "trial_user_attributes" VALUES(61,14,'recipe','"faeceb305bf9"');
INSERT INTO "trial_user_attributes" VALUES(62,14,'seed','2097860887');
INSERT INTO "trial_user_attributes" VALUES(63,14,'metrics','{"loss": 0.28913293673048085, "size": 1.3057453570523856}');
INSERT INTO "trial_user_attributes" VALUES(64,14,'train_seconds','0.004672');
INSERT INTO "trial_user_attributes" VALUES(65,15,'recipe','"3c08376432fd"');
INSERT INTO "trial_user_attributes" VALUES(66,15,'seed','717503318');
INSERT INTO "trial_user_attributes" VALUES(67,15,'metrics','{"loss": 3.37000400063547, "size": 0.9292568916869453}');
INSERT INTO "trial_user_attributes" VALUES(68,15,'train_seconds','7.4e-05');
INSERT INTO "trial_user_attributes" VALUES(69,16,'recipe','"d167691e5e9d"');
INSERT INTO "trial_user_attributes" VALUES(70,16,'seed','805845946');
INSERT INTO "trial_user_attributes" VALUES(71,16,'metrics','{"loss": 0.5528810159185384, "size": 2.7965577709477576}');
INSERT INTO "trial_user_attributes" VALUES(72,16,'train_seconds','0.007779');
INSERT INTO "trial_user_attributes" VALUES(73,17,'recipe','"3c25475a81ad"');
INSERT INTO "trial_user_attributes" VALUES(74,17,'seed','1837920879');
INSERT INTO "trial_user_attributes" VALUES(75,17,'metrics','{"loss": 3.046151039118122, "size": 0.8487562654767395}');
INSERT INTO "trial_user_attributes" VALUES(76,17,'train_seconds','7.3e-05');
INSERT INTO "trial_user_attributes" VALUES(77,18,'recipe','"bac857327017"');
INSERT INTO "trial_user_attributes" VALUES(78,18,'seed','1014475804');
INSERT INTO "trial_user_attributes" VALUES(79,18,'metrics','{"loss": 0.5458199312158202, "size": 1.7386867234325207}');
INSERT INTO "trial_user_attributes" VALUES(80,18,'train_seconds','0.002067');
INSERT INTO "trial_user_attributes" VALUES(81,19,'recipe','"f9458595fe29"');
INSERT INTO "trial_user_attributes" VALUES(82,19,'seed','1400878150');
INSERT INTO "trial_user_attributes" VALUES(83,19,'metrics','{"loss": 3.436853509018155, "size": 1.7367939581488556}');
INSERT INTO "trial_user_attributes" VALUES(84,19,'train_seconds','7e-05');
INSERT INTO "trial_user_attributes" VALUES(85,20,'recipe','"b99be2057606"');
INSERT INTO "trial_user_attributes" VALUES(86,20,'seed','1880433743');
INSERT INTO "trial_user_attributes" VALUES(87,20,'metrics','{"loss": 2.1757560753069174, "size": 1.3589466601689861}');
INSERT INTO "trial_user_attributes" VALUES(88,20,'train_seconds','6.5e-05');
INSERT INTO "trial_user_attributes" VALUES(89,21,'recipe','"42de516cbe09"');
INSERT INTO "trial_user_attributes" VALUES(90,21,'seed','1882080605');
INSERT INTO "trial_user_attributes" VALUES(91,21,'metrics','{"loss": 0.8975225686851358, "size": 2.9916755875563927}');
INSERT INTO "trial_user_attributes" VALUES(92,21,'train_seconds','0.000761');
INSERT INTO "trial_user_attributes" VALUES(93,22,'recipe','"fd88e14d0b5b"');
INSERT INTO "trial_user_attributes" VALUES(94,22,'seed','59137291');
INSERT INTO "trial_user_attributes" VALUES(95,22,'metrics','{"loss": 0.32106580813895214, "size": 0.3953478986485809}');
INSERT INTO "trial_user_attributes" VALUES(96,22,'train_seconds','0.009181');
INSERT INTO "trial_user_attributes" VALUES(97,23,'recipe','"4cc6b6e2ccd5"');
INSERT INTO "trial_user_attributes" VALUES(98,23,'seed','1722943853');
INSERT INTO "trial_user_attributes" VALUES(99,24,'recipe','"6788fadeab14"');
INSERT INTO "trial_user_attributes" VALUES(100,24,'seed','746405699');
INSERT INTO "trial_user_attributes" VALUES(101,24,'tallies','[[3, 2.0294861286984354, 0.4396537874721935, 0.4396537874721935], [3, 2.7266975140719696, 1.2399276025965413, 1.2399276025965413]]');
INSERT INTO "trial_user_attributes" VALUES(102,24,'metrics','{"loss": 0.4396537874721935, "size": 1.2399276025965413}');
INSERT INTO "trial_user_attributes" VALUES(103,24,'train_seconds','0.00026');
INSERT INTO "trial_user_attributes" VALUES(104,25,'recipe','"e20126b3e932"');
INSERT INTO "trial_user_attributes" VALUES(105,25,'seed','107832787');
INSERT INTO "trial_user_attributes" VALUES(106,25,'tallies','[[3, 2.9637868625455726, 0.7024666051292991, 0.7024666051292991], [3, 7.06422221620419, 3.7270645988301627, 3.7270645988301627]]');
INSERT INTO "trial_user_attributes" VALUES(107,25,'metrics','{"loss": 0.7024666051292991, "size": 3.7270645988301627}');
INSERT INTO "trial_user_attributes" VALUES(108,25,'train_seconds','0.000217');
INSERT INTO "trial_user_attributes" VALUES(109,26,'recipe','"5b9fd96fdd13"');
INSERT INTO "trial_user_attributes" VALUES(110,26,'seed','2117250515');
INSERT INTO "trial_user_attributes" VALUES(111,26,'tallies','[[3, 4.756009642151956, 1.0019320132333387, 1.0019320132333387], [3, 5.065605931147047, 2.090687033302087, 2.090687033302087]]');
INSERT INTO "trial_user_attributes" VALUES(112,26,'metrics','{"loss": 1.0019320132333387, "size": 2.090687033302087}');
INSERT INTO "trial_user_attributes" VALUES(113,26,'train_seconds','0.000241');
INSERT INTO "trial_user_attributes" VALUES(114,27,'recipe','"0028a23fd67a"');
INSERT INTO "trial_user_attributes" VALUES(115,27,'seed','2097860887');
INSERT INTO "trial_user_attributes" VALUES(116,27,'tallies','[[3, 5.186628866229742, 1.1381754147136938, 1.1381754147136938], [3, 6.758368610452889, 2.844683881617675, 2.575620260383165]]');
INSERT INTO "trial_user_attributes" VALUES(117,27,'metrics','{"loss": 1.1381754147136938, "size": 2.575620260383165}');
INSERT INTO "trial_user_attributes" VALUES(118,27,'train_seconds','0.000151');
INSERT INTO "trial_user_attributes" VALUES(119,28,'recipe','"ac6af812399c"');
INSERT INTO "trial_user_attributes" VALUES(120,28,'seed','717503318');
INSERT INTO "trial_user_attributes" VALUES(121,28,'tallies','[[3, 5.689974921100575, 1.0108910177635724, 1.0108910177635724], [3, 4.611713069342294, 2.9825914521754724, 2.9825914521754724]]');
INSERT INTO "trial_user_attributes" VALUES(122,28,'metrics','{"loss": 1.0108910177635724, "size": 2.9825914521754724}');
INSERT INTO "trial_user_attributes" VALUES(123,28,'train_seconds','0.000148');
INSERT INTO "trial_user_attributes" VALUES(124,29,'recipe','"1c86c509db02"');
INSERT INTO "trial_user_attributes" VALUES(125,29,'seed','805845946');
INSERT INTO "trial_user_attributes" VALUES(126,29,'tallies','[[3, 2.1722082788865644, 0.4580775048249607, 0.4580775048249607], [3, 4.050173677377131, 2.5290167306381717, 2.5290167306381717]]');
INSERT INTO "trial_user_attributes" VALUES(127,29,'metrics','{"loss": 0.4580775048249607, "size": 2.5290167306381717}');
INSERT INTO "trial_user_attributes" VALUES(128,29,'train_seconds','0.000155');
INSERT INTO "trial_user_attributes" VALUES(129,30,'recipe','"6788fadeab14"');
INSERT INTO "trial_user_attributes" VALUES(130,30,'seed','2033310270');
INSERT INTO "trial_user_attributes" VALUES(131,30,'tallies','[[3, 2.12256168739957, 0.41466480677352324, 0.41466480677352324], [3, 1.6530495759753425, 0.682724544687489, 0.4944851646062909]]');
INSERT INTO "trial_user_attributes" VALUES(132,30,'metrics','{"loss": 0.41466480677352324, "size": 0.4944851646062909}');
INSERT INTO "trial_user_attributes" VALUES(133,30,'train_seconds','0.000167');
INSERT INTO "trial_user_attributes" VALUES(134,31,'recipe','"1c86c509db02"');
INSERT INTO "trial_user_attributes" VALUES(135,31,'seed','2033310270');
INSERT INTO "trial_user_attributes" VALUES(136,31,'tallies','[[3, 2.1143698115428737, 0.4119341814879579, 0.4119341814879579], [3, 1.9870581424681701, 0.7940607335184315, 0.6058213534372334]]');
INSERT INTO "trial_user_attributes" VALUES(137,31,'metrics','{"loss": 0.4119341814879579, "size": 0.6058213534372334}');
INSERT INTO "trial_user_attributes" VALUES(138,31,'train_seconds','0.000114');
INSERT INTO "trial_user_attributes" VALUES(139,32,'recipe','"e2c9aebd05e2"');
INSERT INTO "trial_user_attributes" VALUES(140,32,'seed','746405699');
INSERT INTO "trial_user_attributes" VALUES(141,32,'metrics','{"loss": 1.093041055756046, "size": 0.5428726099590964}');
INSERT INTO "trial_user_attributes" VALUES(142,32,'traceback','"  File \"/tmp/study/own.py\", line 17, in train\n    raise ValueError(\"no luck\")\nValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(143,32,'reason','"ValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(144,32,'train_seconds','0.00016');
INSERT INTO "trial_user_attributes" VALUES(145,33,'recipe','"72a63cf9b9c0"');
INSERT INTO "trial_user_attributes" VALUES(146,33,'seed','107832787');
INSERT INTO "trial_user_attributes" VALUES(147,33,'metrics','{"loss": 1.3869250259219739, "size": 1.1608962483151286}');
INSERT INTO "trial_user_attributes" VALUES(148,33,'traceback','"  File \"/tmp/study/own.py\", line 17, in train\n    raise ValueError(\"no luck\")\nValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(149,33,'reason','"ValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(150,33,'train_seconds','0.000103');
INSERT INTO "trial_user_attributes" VALUES(151,34,'recipe','"3c3e6e8e254a"');
INSERT INTO "trial_user_attributes" VALUES(152,34,'seed','2117250515');
INSERT INTO "trial_user_attributes" VALUES(153,34,'metrics','{"loss": 0.6451511460814484, "size": 2.069768883460486}');
INSERT INTO "trial_user_attributes" VALUES(154,34,'train_seconds','0.00025');
INSERT INTO "trial_user_attributes" VALUES(155,35,'recipe','"e2c9aebd05e2"');
INSERT INTO "trial_user_attributes" VALUES(156,35,'seed','2097860887');
INSERT INTO "trial_user_attributes" VALUES(157,35,'retry_of','0');
INSERT INTO "trial_user_attributes" VALUES(158,35,'metrics','{"loss": 0.4649206000768304, "size": 1.8917410431322819}');
INSERT INTO "trial_user_attributes" VALUES(159,35,'train_seconds','0.000171');
INSERT INTO "trial_user_attributes" VALUES(160,36,'recipe','"5fb8561b0e7a"');
INSERT INTO "trial_user_attributes" VALUES(161,36,'seed','717503318');
INSERT INTO "trial_user_attributes" VALUES(162,36,'metrics','{"loss": 1.1232918286245392, "size": 0.12318839589624586}');
INSERT INTO "trial_user_attributes" VALUES(163,36,'traceback','"  File \"/tmp/study/own.py\", line 17, in train\n    raise ValueError(\"no luck\")\nValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(164,36,'reason','"ValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(165,36,'train_seconds','0.000143');
INSERT INTO "trial_user_attributes" VALUES(166,37,'recipe','"80c797c0a73d"');
INSERT INTO "trial_user_attributes" VALUES(167,37,'seed','805845946');
INSERT INTO "trial_user_attributes" VALUES(168,37,'metrics','{"loss": 0.5186935002327551, "size": 2.2356116089103666}');
INSERT INTO "trial_user_attributes" VALUES(169,37,'train_seconds','0.00018');
INSERT INTO "trial_user_attributes" VALUES(170,38,'recipe','"525fcc216e58"');
INSERT INTO "trial_user_attributes" VALUES(171,38,'seed','1837920879');
INSERT INTO "trial_user_attributes" VALUES(172,38,'metrics','{"loss": 1.0643182627481498, "size": 0.9329324371926556}');
INSERT INTO "trial_user_attributes" VALUES(173,38,'traceback','"  File \"/tmp/study/own.py\", line 17, in train\n    raise ValueError(\"no luck\")\nValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(174,38,'reason','"ValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(175,38,'train_seconds','7.5e-05');
INSERT INTO "trial_user_attributes" VALUES(176,39,'recipe','"5fb8561b0e7a"');
INSERT INTO "trial_user_attributes" VALUES(177,39,'seed','1014475804');
INSERT INTO "trial_user_attributes" VALUES(178,39,'retry_of','4');
INSERT INTO "trial_user_attributes" VALUES(179,39,'metrics','{"loss": 1.0961912533567462, "size": 0.5060186179190513}');
INSERT INTO "trial_user_attributes" VALUES(180,39,'traceback','"  File \"/tmp/study/own.py\", line 17, in train\n    raise ValueError(\"no luck\")\nValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(181,39,'reason','"ValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(182,39,'train_seconds','9.3e-05');
INSERT INTO "trial_user_attributes" VALUES(183,40,'recipe','"eb3e974aa193"');
INSERT INTO "trial_user_attributes" VALUES(184,40,'seed','1400878150');
INSERT INTO "trial_user_attributes" VALUES(185,40,'metrics','{"loss": 0.46496759404495175, "size": 2.5720837676274}');
INSERT INTO "trial_user_attributes" VALUES(186,40,'train_seconds','0.00017');
INSERT INTO "trial_user_attributes" VALUES(187,41,'recipe','"c5fed3a2f526"');
INSERT INTO "trial_user_attributes" VALUES(188,41,'seed','746405699');
INSERT INTO "trial_user_attributes" VALUES(189,41,'metrics','{"loss": 1.0330410557560459, "size": 0.8428726099590964}');
INSERT INTO "trial_user_attributes" VALUES(190,41,'traceback','"  File \"/tmp/study/own.py\", line 17, in train\n    raise ValueError(\"no luck\")\nValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(191,41,'reason','"ValueError: no luck"');
INSERT INTO "trial_user_attributes" VALUES(192,41,'train_seconds','0.000224');
INSERT INTO "trial_user_attributes" VALUES(193,42,'recipe','"e2c9aebd05e2"');
INSERT INTO "trial_user_attributes" VALUES(194,42,'seed','107832787');
INSERT INTO "trial_user_attributes" VALUES(195,42,'metrics','{"loss": 1.1469250259219739, "size": 0.36089624831512856}');
INSERT INTO "trial_user_attributes" VALUES(196,42,'reason','"place 2 of 2 at step 1 (1.14693), of which 1 go on"');
INSERT INTO "trial_user_attributes" VALUES(197,42,'evidence','{"value": 1.1469250259219739, "place": 2.0, "trials": 2.0}');
INSERT INTO "trial_user_attributes" VALUES(198,42,'train_seconds','8.4e-05');
INSERT INTO "trial_user_attributes" VALUES(199,43,'recipe','"eb3e974aa193"');
INSERT INTO "trial_user_attributes" VALUES(200,43,'seed','2117250515');
INSERT INTO "trial_user_attributes" VALUES(201,43,'metrics','{"loss": 0.3651511460814484, "size": 1.6697688834604856}');
INSERT INTO "trial_user_attributes" VALUES(202,43,'train_seconds','0.000164');
INSERT INTO "trial_user_attributes" VALUES(203,44,'recipe','"80c797c0a73d"');
INSERT INTO "trial_user_attributes" VALUES(204,44,'seed','2097860887');
INSERT INTO "trial_user_attributes" VALUES(205,44,'metrics','{"loss": 1.1024783177546769, "size": 0.4205386099128129}');
INSERT INTO "trial_user_attributes" VALUES(206,44,'reason','"place 3 of 4 at step 1 (1.10248), of which 1 go on"');
INSERT INTO "trial_user_attributes" VALUES(207,44,'evidence','{"value": 1.1024783177546769, "place": 3.0, "trials": 4.0}');
INSERT INTO "trial_user_attributes" VALUES(208,44,'train_seconds','8.3e-05');
INSERT INTO "trial_user_attributes" VALUES(209,45,'recipe','"eb3e974aa193"');
INSERT INTO "trial_user_attributes" VALUES(210,45,'seed','2033310270');
INSERT INTO "trial_user_attributes" VALUES(211,45,'metrics','{"loss": 0.4325501768957523, "size": 0.7124162317094281}');
INSERT INTO "trial_user_attributes" VALUES(212,45,'train_seconds','0.000174');
INSERT INTO "trial_user_attributes" VALUES(213,46,'recipe','"eb3e974aa193"');
INSERT INTO "trial_user_attributes" VALUES(214,46,'seed','697048940');
INSERT INTO "trial_user_attributes" VALUES(215,46,'metrics','{"loss": 0.4777389727547824, "size": 2.653467553240014}');
INSERT INTO "trial_user_attributes" VALUES(216,46,'train_seconds','0.000154');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,1.14637267589569091796e+00,'FINITE');
INSERT INTO "trial_values" VALUES(2,4,0,1.01696920394897460937e+00,'FINITE');
INSERT INTO "trial_values" VALUES(3,5,0,1.16119527816772460937e+00,'FINITE');
INSERT INTO "trial_values" VALUES(4,6,0,1.07031476497650146484e+00,'FINITE');
INSERT INTO "trial_values" VALUES(5,2,0,5.88136970996856689453e-01,'FINITE');
INSERT INTO "trial_values" VALUES(6,3,0,8.06724786758422851562e-01,'FINITE');
INSERT INTO "trial_values" VALUES(7,7,0,7.5272947549819946289e-01,'FINITE');
INSERT INTO "trial_values" VALUES(8,8,0,8.04526269435882568359e-01,'FINITE');
INSERT INTO "trial_values" VALUES(9,9,0,0.604547917842865,'FINITE');
INSERT INTO "trial_values" VALUES(10,10,0,9.59964513778686523437e-01,'FINITE');
INSERT INTO "trial_values" VALUES(11,14,0,2.89132936730480849529e-01,'FINITE');
INSERT INTO "trial_values" VALUES(12,18,0,5.45819931215820175474e-01,'FINITE');
INSERT INTO "trial_values" VALUES(13,22,0,3.21065808138952135664e-01,'FINITE');
INSERT INTO "trial_values" VALUES(14,24,0,4.39653787472193524621e-01,'FINITE');
INSERT INTO "trial_values" VALUES(15,24,1,1.23992760259654133392e+00,'FINITE');
INSERT INTO "trial_values" VALUES(16,25,0,7.02466605129299148657e-01,'FINITE');
INSERT INTO "trial_values" VALUES(17,25,1,3.72706459883016272272e+00,'FINITE');
INSERT INTO "trial_values" VALUES(18,26,0,1.0019320132333386919e+00,'FINITE');
INSERT INTO "trial_values" VALUES(19,26,1,2.090687033302086828e+00,'FINITE');
INSERT INTO "trial_values" VALUES(20,27,0,1.13817541471369376715e+00,'FINITE');
INSERT INTO "trial_values" VALUES(21,27,1,2.84468388161767515853e+00,'FINITE');
INSERT INTO "trial_values" VALUES(22,28,0,1.01089101776357237483e+00,'FINITE');
INSERT INTO "trial_values" VALUES(23,28,1,2.9825914521754723907e+00,'FINITE');
INSERT INTO "trial_values" VALUES(24,29,0,4.58077504824960679563e-01,'FINITE');
INSERT INTO "trial_values" VALUES(25,29,1,2.52901673063817167275e+00,'FINITE');
INSERT INTO "trial_values" VALUES(26,30,0,4.14664806773523242355e-01,'FINITE');
INSERT INTO "trial_values" VALUES(27,30,1,0.682724544687489,'FINITE');
INSERT INTO "trial_values" VALUES(28,31,0,4.11934181487957906675e-01,'FINITE');
INSERT INTO "trial_values" VALUES(29,31,1,7.94060733518431538513e-01,'FINITE');
INSERT INTO "trial_values" VALUES(30,34,0,6.45151146081448412239e-01,'FINITE');
INSERT INTO "trial_values" VALUES(31,35,0,4.64920600076830392577e-01,'FINITE');
INSERT INTO "trial_values" VALUES(32,37,0,5.18693500232755067003e-01,'FINITE');
INSERT INTO "trial_values" VALUES(33,40,0,4.6496759404495174861e-01,'FINITE');
INSERT INTO "trial_values" VALUES(34,42,0,1.14692502592197387301e+00,'FINITE');
INSERT INTO "trial_values" VALUES(35,43,0,3.65151146081448385594e-01,'FINITE');
INSERT INTO "trial_values" VALUES(36,44,0,1.10247831775467686199e+00,'FINITE');
INSERT INTO "trial_values" VALUES(37,45,0,4.32550176895752314099e-01,'FINITE');
INSERT INTO "trial_values" VALUES(38,46,0,4.7773897275478238722e-01,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'PRUNED','2026-11-29 07:10:56.798376','2026-11-29 07:10:57.189807');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-29 07:10:57.144229','2026-11-29 07:10:57.220559');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-29 07:10:57.147910','2026-11-29 07:10:57.220627');
INSERT INTO "trials" VALUES(4,3,1,'PRUNED','2026-11-29 07:10:57.149942','2026-11-29 07:10:57.190010');
INSERT INTO "trials" VALUES(5,4,1,'PRUNED','2026-11-29 07:10:57.155444','2026-11-29 07:10:57.190114');
INSERT INTO "trials" VALUES(6,5,1,'PRUNED','2026-11-29 07:10:57.157252','2026-11-29 07:10:57.190278');
INSERT INTO "trials" VALUES(7,0,2,'COMPLETE','2026-11-29 07:10:57.226879','2026-11-29 07:10:57.289599');
INSERT INTO "trials" VALUES(8,1,2,'COMPLETE','2026-11-29 07:10:57.228512','2026-11-29 07:10:57.289680');
INSERT INTO "trials" VALUES(9,2,2,'COMPLETE','2026-11-29 07:10:57.229618','2026-11-29 07:10:57.289737');
INSERT INTO "trials" VALUES(10,3,2,'COMPLETE','2026-11-29 07:10:57.236129','2026-11-29 07:10:57.289787');
INSERT INTO "trials" VALUES(11,0,3,'RUNNING','2026-11-29 07:11:01.912392',NULL);
INSERT INTO "trials" VALUES(12,1,3,'RUNNING','2026-11-29 07:11:01.923318',NULL);
INSERT INTO "trials" VALUES(13,2,3,'RUNNING','2026-11-29 07:11:01.924599',NULL);
INSERT INTO "trials" VALUES(14,3,3,'COMPLETE','2026-11-29 07:11:01.925718','2026-11-29 07:11:01.986710');
INSERT INTO "trials" VALUES(15,4,3,'RUNNING','2026-11-29 07:11:01.926838',NULL);
INSERT INTO "trials" VALUES(16,5,3,'RUNNING','2026-11-29 07:11:01.927769',NULL);
INSERT INTO "trials" VALUES(17,6,3,'RUNNING','2026-11-29 07:11:01.928696',NULL);
INSERT INTO "trials" VALUES(18,7,3,'COMPLETE','2026-11-29 07:11:01.929609','2026-11-29 07:11:02.030657');
INSERT INTO "trials" VALUES(19,8,3,'RUNNING','2026-11-29 07:11:01.930727',NULL);
INSERT INTO "trials" VALUES(20,9,3,'RUNNING','2026-11-29 07:11:01.931665',NULL);
INSERT INTO "trials" VALUES(21,10,3,'RUNNING','2026-11-29 07:11:02.002585',NULL);
INSERT INTO "trials" VALUES(22,11,3,'COMPLETE','2026-11-29 07:11:02.005124','2026-11-29 07:11:02.039209');
INSERT INTO "trials" VALUES(23,12,3,'RUNNING','2026-11-29 07:11:02.041442',NULL);
INSERT INTO "trials" VALUES(24,0,4,'COMPLETE','2026-11-29 07:11:03.519974','2026-11-29 07:11:03.559341');
INSERT INTO "trials" VALUES(25,1,4,'COMPLETE','2026-11-29 07:11:03.562195','2026-11-29 07:11:03.568442');
INSERT INTO "trials" VALUES(26,2,4,'COMPLETE','2026-11-29 07:11:03.568800','2026-11-29 07:11:03.570597');
INSERT INTO "trials" VALUES(27,3,4,'COMPLETE','2026-11-29 07:11:03.570860','2026-11-29 07:11:03.572437');
INSERT INTO "trials" VALUES(28,4,4,'COMPLETE','2026-11-29 07:11:03.572696','2026-11-29 07:11:03.574157');
INSERT INTO "trials" VALUES(29,5,4,'COMPLETE','2026-11-29 07:11:03.574380','2026-11-29 07:11:03.575912');
INSERT INTO "trials" VALUES(30,0,5,'COMPLETE','2026-11-29 07:11:03.577733','2026-11-29 07:11:03.578900');
INSERT INTO "trials" VALUES(31,1,5,'COMPLETE','2026-11-29 07:11:03.579259','2026-11-29 07:11:03.579987');
INSERT INTO "trials" VALUES(32,0,6,'FAIL','2026-11-29 07:11:05.517484','2026-11-29 07:11:05.554114');
INSERT INTO "trials" VALUES(33,1,6,'FAIL','2026-11-29 07:11:05.554682','2026-11-29 07:11:05.557851');
INSERT INTO "trials" VALUES(34,2,6,'COMPLETE','2026-11-29 07:11:05.560909','2026-11-29 07:11:05.571480');
INSERT INTO "trials" VALUES(35,3,6,'COMPLETE','2026-11-29 07:11:05.571803','2026-11-29 07:11:05.579240');
INSERT INTO "trials" VALUES(36,4,6,'FAIL','2026-11-29 07:11:05.579473','2026-11-29 07:11:05.580804');
INSERT INTO "trials" VALUES(37,5,6,'COMPLETE','2026-11-29 07:11:05.582771','2026-11-29 07:11:05.590815');
INSERT INTO "trials" VALUES(38,6,6,'FAIL','2026-11-29 07:11:05.591105','2026-11-29 07:11:05.594884');
INSERT INTO "trials" VALUES(39,7,6,'FAIL','2026-11-29 07:11:05.595121','2026-11-29 07:11:05.598826');
INSERT INTO "trials" VALUES(40,8,6,'COMPLETE','2026-11-29 07:11:05.601876','2026-11-29 07:11:05.619399');
INSERT INTO "trials" VALUES(41,0,7,'FAIL','2026-11-29 07:11:07.463545','2026-11-29 07:11:08.007412');
INSERT INTO "trials" VALUES(42,1,7,'PRUNED','2026-11-29 07:11:08.007839','2026-11-29 07:11:08.008902');
INSERT INTO "trials" VALUES(43,2,7,'COMPLETE','2026-11-29 07:11:08.009203','2026-11-29 07:11:08.010412');
INSERT INTO "trials" VALUES(44,3,7,'PRUNED','2026-11-29 07:11:08.010743','2026-11-29 07:11:08.011710');
INSERT INTO "trials" VALUES(45,0,8,'COMPLETE','2026-11-29 07:11:08.013566','2026-11-29 07:11:08.014709');
INSERT INTO "trials" VALUES(46,1,8,'COMPLETE','2026-11-29 07:11:08.015055','2026-11-29 07:11:08.015802');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
