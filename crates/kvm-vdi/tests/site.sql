-- MySQL dump 10.19  Distrib 10.11.6-MariaDB
-- A site made up for Oriel's tests, in the tables that kvm-vdi has.
/*!40101 SET NAMES utf8mb4 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;

DROP TABLE IF EXISTS `ad_groups`;
CREATE TABLE `ad_groups` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8;
LOCK TABLES `ad_groups` WRITE;
/*!40000 ALTER TABLE `ad_groups` DISABLE KEYS */;
INSERT INTO `ad_groups` VALUES (1,'Žinių mokyklos; mokiniai'),(2,'Staff');
/*!40000 ALTER TABLE `ad_groups` ENABLE KEYS */;
UNLOCK TABLES;

CREATE TABLE `clients` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `username` varchar(255) NOT NULL,
  `password` varchar(255) NOT NULL,
  `ip` varchar(255) NOT NULL,
  `isdomain` int(11) NOT NULL DEFAULT '0',
  `lastlogin` datetime DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `username` (`username`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COMMENT='people (with desktops); not admins';
INSERT INTO `clients` VALUES (1,'ada','$5$salt$aaa','10.0.0.1',0,'2018-01-01 10:00:00'),(2,'bob','x','',0,NULL),
(3,'carol@school.example','',' ',1,NULL),(4,'d''arcy \\ \"q\"','x','',0,NULL);

CREATE TABLE `config` (`id` int(11) NOT NULL, `name` varchar(255) NOT NULL, `valuechar` varchar(255) NOT NULL);
INSERT INTO `config` VALUES (1,'dbversion','20170331001');

CREATE TABLE `hypervisors` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL DEFAULT '',
  `ip` varchar(255) NOT NULL DEFAULT '',
  `port` varchar(6) NOT NULL DEFAULT '',
  `maintenance` tinyint(4) DEFAULT NULL,
  `address2` varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;
INSERT INTO `hypervisors` VALUES (1,'kvm1','10.3.0.11','22',NULL,''),(2,'kvm2','10.3.0.12','22',1,'');

CREATE TABLE `log` (`id` int(11) NOT NULL AUTO_INCREMENT, `ip` varchar(255), `message` text NOT NULL, PRIMARY KEY (`id`));
INSERT INTO `log` VALUES (1,'10.0.0.1','said; INSERT INTO `pool` VALUES (99,\'no\'); and (more');

CREATE TABLE `pool` (`id` int(11) NOT NULL AUTO_INCREMENT, `name` varchar(255) NOT NULL, PRIMARY KEY (`id`));
INSERT INTO `pool` VALUES (1,'Office'),(2,'Lab'),(3,'Servers');

CREATE TABLE `poolmap` (`id` int(11) NOT NULL, `poolid` int(11) NOT NULL, `clientid` int(11) NOT NULL);
INSERT INTO `poolmap` VALUES (1,1,1),(2,1,2),(3,1,3),(4,2,4),(5,1,77);
CREATE TABLE `poolmap_ad` (`id` int(11) NOT NULL, `poolid` int(11) NOT NULL, `groupid` int(11) NOT NULL);
INSERT INTO `poolmap_ad` VALUES (1,1,2),(2,2,1);
CREATE TABLE `poolmap_vm` (`id` int(11) NOT NULL, `poolid` int(11) NOT NULL, `vmid` int(11) NOT NULL);
INSERT INTO `poolmap_vm` VALUES (1,1,4),(2,1,5),(3,2,6),(4,2,7),(5,3,8),(6,2,9);

CREATE TABLE `users` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `username` varchar(255) NOT NULL DEFAULT '',
  `password` varchar(255) NOT NULL DEFAULT '',
  `config` text,
  PRIMARY KEY (`id`)
);
INSERT INTO `users` VALUES (1,'root','$5$salt$bbb',NULL);

CREATE TABLE `vms` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL DEFAULT '',
  `hypervisor` int(11) NOT NULL DEFAULT '0',
  `machine_type` varchar(25) NOT NULL DEFAULT '',
  `source_volume` varchar(255) NOT NULL DEFAULT '',
  `snapshot` varchar(11) NOT NULL DEFAULT '',
  `maintenance` varchar(11) NOT NULL DEFAULT '',
  `spice_password` varchar(255) NOT NULL DEFAULT '',
  `clientid` int(11) NOT NULL,
  `lastused` datetime NOT NULL,
  `os_type` varchar(255) NOT NULL,
  PRIMARY KEY (`id`)
);
INSERT INTO `vms` VALUES
(1,'win10-source',1,'sourcemachine','','false','false','',0,'2018-01-01 00:00:00','windows'),
(2,'win10-initial',1,'initialmachine','1','false','false','',0,'2018-01-01 00:00:00','windows'),
(3,'Linux initial',2,'initialmachine','','false','false','',0,'2018-01-01 00:00:00','linux'),
(4,'office-01',1,'vdimachine','2','true','false','geheim',1,'2018-01-01 00:00:00','windows'),
(5,'office-02',1,'vdimachine','2','true','true','geheim',0,'2018-01-01 00:00:00','windows'),
(6,'lab-01',1,'vdimachine','2','false','false','',0,'2018-01-01 00:00:00','windows'),
(7,'lab-02',2,'vdimachine','3','true','false','',0,'2018-01-01 00:00:00','linux'),
(8,'files',1,'simplemachine','','false','false','',0,'2018-01-01 00:00:00','linux'),
(9,'orphan',1,'vdimachine','55','true','false','',0,'2018-01-01 00:00:00','linux'),
(10,'spare-01',1,'vdimachine','2','true','false','',0,'2018-01-01 00:00:00','windows');

DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `more`()
BEGIN
  INSERT INTO poolmap_vm VALUES (7,1,8);
END ;;
DELIMITER ;
-- Dump completed
